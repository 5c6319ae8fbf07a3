"""The middleware for ASGI 3.0 applications.

Ownership, per request:

    the server's task       runs the application, as without the middleware: its context, its exceptions and its
                            cancellation are the server's. A response that is not a stream never leaves this task. If it
                            has a Content-Length and takes long, another task waits for its disconnect.
    a delivery task         starts with a stream, and from then on is the only one to call the server's `send`. It takes
                            the application's chunks from the buffer, and does disconnects, deadlines, keepalives,
                            compression and sending.
    the server's `receive`  one reader at a time; see receive.py.

The application's last `send` returns when everything is sent. If a disconnect or a deadline ends the stream before, an
application that waits for the disconnect, as Django does, receives one, and ends its tasks itself. Any other
application is cancelled once, as by a timeout of its own. If it continues nevertheless, its `send` raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

from stream_adapter._log import expect_reports
from stream_adapter._pump import running_loop
from stream_adapter._request import RequestHead
from stream_adapter._serve.asgi import refuse
from stream_adapter._status import is_bodiless
from stream_adapter.errors import RefusalError
from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send

from .asgi_stream import PassedResponse, StreamedResponse, clear_traceback_frames
from .options import Middleware, Options
from .receive import SharedReceiver

__all__ = ["StreamAdapterMiddleware"]

_GRACE = 1.0  # seconds for an application to end after it has received the disconnect; then it is cancelled
_OLDER = frozenset({"2.0", "2.1", "2.2", "2.3"})


class StreamAdapterMiddleware(Middleware[ASGIApp]):
    """Add what `Response` does to the streams of an ASGI application.

    Its streams are batched, limited and ended as a `Response` is, and end when their client disconnects. Responses that
    are not streams, websockets and the lifespan pass through unchanged.
    """

    _protocol = "ASGI"
    _remedy = "take stream_adapter.wsgi.StreamAdapterMiddleware"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            running_loop()  # raises on other event loops than asyncio's
            _advertise_spec_2_4(scope)
            await _RequestCycle(self._options, scope, receive, send).run(self.app)
        else:
            await self.app(scope, receive, send)


class _RequestCycle:
    """One request, and the application's response to it."""

    __slots__ = (
        "_beginning",
        "_cancelled",
        "_cancelling",
        "_forward",
        "_held",
        "_interrupted",
        "_options",
        "_passed",
        "_receiver",
        "_scope",
        "_send",
        "_stream",
        "_task",
    )

    def __init__(self, options: Options, scope: Scope, receive: Receive, send: Send) -> None:
        self._options = options
        self._scope = scope
        self._send = send
        self._receiver = SharedReceiver(receive)
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False  # the middleware ends the application
        self._cancelling: asyncio.TimerHandle | None = None
        self._cancelled = False
        self._held: Message | None = None  # the start of the response, until the next message arrives
        self._beginning: asyncio.Handle | None = None
        self._forward: Send | None = None  # sends messages, once the kind of the response is known
        self._stream: StreamedResponse | None = None
        self._passed: PassedResponse | None = None

    async def run(self, app: ASGIApp) -> None:
        """Call the application, and wait for the end of its response."""
        error: BaseException | None = None
        expect_reports()
        self._task = task = asyncio.current_task()
        try:
            await app(self._scope, self._receiver.receive, self.send)
        except BaseException as raised:  # noqa: BLE001  # it is raised again, after the chunks before it are sent
            error = raised
        if self._cancelling is not None:
            self._cancelling.cancel()
        if self._cancelled and task is not None and not task.uncancel() and isinstance(error, asyncio.CancelledError):
            clear_traceback_frames(error)  # the middleware has cancelled it
            error = None
        try:
            error = await self._end(error)
            if error is not None:
                raise error
        finally:
            del error  # its traceback refers to this frame: a cycle that would keep the application's generators open

    async def _end(self, error: BaseException | None) -> BaseException | None:
        """Finish the response, as far as it has come; return what is left to raise of the application's error."""
        if self._beginning is not None:
            self._beginning.cancel()
            if self._held is not None and error is not None:
                self._begin(self._held)  # handle it as a stream, so that its end is reported
        if self._stream is not None:
            return await self._stream.finish(error, interrupted=self._interrupted)
        if self._passed is not None:
            return self._passed.finish(error)
        if self._held is not None and error is None:
            await self._send(self._held)  # without a body: the server handles the protocol error
        if self._forward is None and isinstance(error, RefusalError):
            await refuse(error, self._send)
            return None
        return error

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the application. It is not a coroutine function, which saves one coroutine per message."""
        return self._send_first(message) if self._forward is None else self._forward(message)

    async def _send_first(self, message: Message) -> None:
        """Send while the kind of the response is not known."""
        if self._forward is not None:  # it has become known since this was called
            await self._forward(message)
        elif self._held is not None:
            await self._follow(self._held, message)
        elif message["type"] == "http.response.start":
            await self._start(message)
        else:
            await self._send(message)

    async def _start(self, head: Message) -> None:
        """Send the head of a response that is not a stream; hold any other, so that an error can still be answered."""
        headers: Collection[tuple[bytes, bytes]] = head.get("headers", ())
        if not isinstance(headers, (list, tuple)):  # an iterator can be read once
            headers = list(headers)
            head = {**head, "headers": headers}
        if is_bodiless(head["status"]) or any(name.lower() == b"content-length" for name, _ in headers):
            self._forward = self._pass_first
            await self._send(self._options.passed_head(head, self._scope))
            return
        self._held = head
        # if the next message does not follow at once, disconnects and deadlines matter from now on
        self._beginning = asyncio.get_running_loop().call_soon(self._begin, head)

    async def _follow(self, head: Message, message: Message) -> None:
        """Send the message after a held head. If more of the body is to come, the response is a stream."""
        if message["type"] == "http.response.body" and message.get("more_body", False):
            await self._begin(head).send(message)
            return
        # the whole body, or a file that the server sends
        self._held, self._forward = None, self._send
        if self._beginning is not None:
            self._beginning.cancel()
        if self._scope.get("method") == "HEAD":
            head = self._options.passed_head(head, self._scope)
        await self._send(head)
        await self._send(message)

    async def _pass_first(self, message: Message) -> None:
        """Send the first message after a head that has passed. If more is to come, watch for the disconnect."""
        if message.get("more_body", False):
            self._passed = PassedResponse(
                self._receiver,
                send=self._send,
                interrupt=self._interrupt,
                send_timeout=self._options.named_send_timeout,
            )
            self._forward = self._passed.send
        else:
            self._forward = self._send
        await self._forward(message)

    def _begin(self, head: Message) -> StreamedResponse:
        self._held = None
        if self._beginning is not None:
            self._beginning.cancel()
        request = RequestHead.from_scope(self._scope)
        self._stream = StreamedResponse(
            self._options, request, head, self._receiver, send=self._send, interrupt=self._interrupt
        )
        self._forward = self._stream.send
        return self._stream

    def _interrupt(self) -> None:
        """End the application: by the disconnect if it waits for that, else by a cancellation."""
        if self._interrupted:
            return
        self._interrupted = True
        grace = _GRACE if self._receiver.send_disconnect() else 0
        self._cancelling = asyncio.get_running_loop().call_later(grace, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._cancelled = True
            self._task.cancel()


def _advertise_spec_2_4(scope: Scope) -> None:
    """Report ASGI 2.4 to the application: our `send` raises OSError after a disconnect, whatever the server's does.

    Starlette then relies on `send` and runs a body in the application's task, which the middleware can end, instead of
    a task group with another task that waits for the disconnect. The scope stays the server's object, because an outer
    middleware reads from it what the application sets, such as the route. Test clients may leave `asgi` out.
    """
    asgi: Mapping[str, str] = scope.get("asgi") or {}
    if asgi.get("spec_version", "2.0") in _OLDER:
        scope["asgi"] = {"version": "3.0", **asgi, "spec_version": "2.4"}
