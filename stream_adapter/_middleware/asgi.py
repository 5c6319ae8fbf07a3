"""The middleware for ASGI 3.0 applications.

Who owns what, for one request:

    the server's task       runs the application, as without us: its context, its exceptions and its cancellation are
                            the server's. A response that is not a stream never leaves this task; one that says its
                            length, and lasts, has its disconnect watched beside it.
    a delivery task         begins with a stream and then owns the server's `send`: it takes from the window what the
                            application puts there, and watches, keeps time, keeps alive, compresses and sends.
    the server's `receive`  whoever is inside it; see inbox.py.

The application's last `send` returns when all is sent. When the stream is over before, by a disconnect or a deadline,
an application that listens for the disconnect, as Django does, is told of one, and ends its tasks itself. Any other is
cancelled, once, as by a time-out of its own. The `send` of one that goes on nevertheless raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

from stream_adapter._headers import is_bodiless
from stream_adapter._log import expect_reports
from stream_adapter._pump import running_loop
from stream_adapter._request import RequestHead
from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send

from .asgi_stream import Stream, clear_traceback_frames
from .options import Middleware, Options
from .passage import Passage
from .receive import Inbox

__all__ = ["StreamAdapterMiddleware"]

_GRACE = 1.0  # seconds that an application has which was told that its client has gone
_OLDER = frozenset({"2.0", "2.1", "2.2", "2.3"})


class StreamAdapterMiddleware(Middleware[ASGIApp]):
    """Add what `Response` does to the streams of an ASGI application.

    Its streams are batched, limited and ended as a `Response` is, and end when their client disconnects. Responses that
    are not streams, websockets and the lifespan pass through unchanged.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            running_loop()  # or one error that says what is missing
            _advertise_spec_2_4(scope)
            await _Exchange(self._options, scope, receive, send).run(self.app)
        else:
            await self.app(scope, receive, send)


class _Exchange:
    """One request, and the application's response to it."""

    __slots__ = (
        "_beginning",
        "_cancelled",
        "_cancelling",
        "_held",
        "_inbox",
        "_interrupted",
        "_onward",
        "_options",
        "_passage",
        "_scope",
        "_send",
        "_stream",
        "_task",
    )

    def __init__(self, options: Options, scope: Scope, receive: Receive, send: Send) -> None:
        self._options = options
        self._scope = scope
        self._send = send
        self._inbox = Inbox(receive)
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False  # the application was told to end
        self._cancelling: asyncio.TimerHandle | None = None
        self._cancelled = False
        self._held: Message | None = None  # the head of the response, until it is known what follows
        self._beginning: asyncio.Handle | None = None
        self._onward: Send | None = None  # where messages go, once it is known what the response is
        self._stream: Stream | None = None
        self._passage: Passage | None = None

    async def run(self, app: ASGIApp) -> None:
        """Call the application, and see its response to the end."""
        error: BaseException | None = None
        expect_reports()
        self._task = task = asyncio.current_task()
        try:
            await app(self._scope, self._inbox.receive, self.send)
        except BaseException as raised:  # noqa: BLE001  # it is raised again, after what was sent before it
            error = raised
        if self._cancelling is not None:
            self._cancelling.cancel()
        if self._cancelled and task is not None and not task.uncancel() and isinstance(error, asyncio.CancelledError):
            clear_traceback_frames(error)  # the cancellation was ours
            error = None
        try:
            if self._beginning is not None:
                self._beginning.cancel()
                if self._held is not None and error is not None:
                    self._begin(self._held)  # it would have been a stream: its end is reported, too
            if self._stream is not None:
                error = await self._stream.settle(error, interrupted=self._interrupted)
            elif self._passage is not None:
                error = self._passage.settle(error)
            elif self._held is not None and error is None:
                await self._send(self._held)  # a head without a body: the server says what it thinks of that
            if error is not None:
                raise error
        finally:
            del error  # whose traceback has this frame, and with it what the application has not closed yet

    def send(self, message: Message) -> Awaitable[None]:
        """Send, for the application. It is no coroutine function, so that a part of a file costs one coroutine less."""
        return self._send_first(message) if self._onward is None else self._onward(message)

    async def _send_first(self, message: Message) -> None:
        """Send while it is not known what the response is."""
        if self._onward is not None:  # it has become known since this was called
            await self._onward(message)
        elif self._held is not None:
            await self._follow(self._held, message)
        elif message["type"] == "http.response.start":
            await self._start(message)
        else:
            await self._send(message)

    async def _start(self, head: Message) -> None:
        """Pass the head of what is not a stream; hold any other: the server can still answer an error that follows."""
        headers: Collection[tuple[bytes, bytes]] = head.get("headers", ())
        if not isinstance(headers, (list, tuple)):  # an iterator can be read once
            headers = list(headers)
            head = {**head, "headers": headers}
        if is_bodiless(head["status"]) or any(name.lower() == b"content-length" for name, _ in headers):
            self._onward = self._pass_first
            await self._send(self._options.passed_head(head, self._scope))
            return
        self._held = head
        # if nothing follows at once, a client must be watched and time kept meanwhile
        self._beginning = asyncio.get_running_loop().call_soon(self._begin, head)

    async def _follow(self, head: Message, message: Message) -> None:
        """Send what follows at once on a head that was held: another part makes it a stream."""
        if message["type"] == "http.response.body" and message.get("more_body", False):
            await self._begin(head).send(message)
            return
        # a body of one part, or one that the server makes of a file
        self._held, self._onward = None, self._send
        if self._beginning is not None:
            self._beginning.cancel()
        if self._scope.get("method") == "HEAD":
            head = self._options.passed_head(head, self._scope)
        await self._send(head)
        await self._send(message)

    async def _pass_first(self, message: Message) -> None:
        """Pass what follows a head that was passed; if more is to come, keep what the scope promises meanwhile."""
        if message.get("more_body", False):
            self._passage = Passage(
                self._inbox,
                send=self._send,
                interrupt=self._interrupt,
                send_timeout=self._options.named_send_timeout,
            )
            self._onward = self._passage.send
        else:
            self._onward = self._send
        await self._onward(message)

    def _begin(self, head: Message) -> Stream:
        self._held = None
        if self._beginning is not None:
            self._beginning.cancel()
        request = RequestHead.from_scope(self._scope)
        self._stream = Stream(self._options, request, head, self._inbox, send=self._send, interrupt=self._interrupt)
        self._onward = self._stream.send
        return self._stream

    def _interrupt(self) -> None:
        """Have the application end, which still runs; one that listens for the disconnect ends by itself."""
        if self._interrupted:
            return
        self._interrupted = True
        grace = _GRACE if self._inbox.hang_up() else 0
        self._cancelling = asyncio.get_running_loop().call_later(grace, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._cancelled = True
            self._task.cancel()


def _advertise_spec_2_4(scope: Scope) -> None:
    """Report ASGI 2.4 to the application: our `send` raises OSError after a disconnect, whatever the server's does.

    Starlette then leaves it to `send`, and runs a body in the task that we can end, rather than in one of its own
    beside another that waits for the disconnect. The scope stays the server's object: a middleware outside reads from
    it what the application puts there, its route for one. A client for tests may leave `asgi` out.
    """
    asgi: Mapping[str, str] = scope.get("asgi") or {}
    if asgi.get("spec_version", "2.0") in _OLDER:
        scope["asgi"] = {"version": "3.0", **asgi, "spec_version": "2.4"}
