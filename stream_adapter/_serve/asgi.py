"""A response to an ASGI 3.0 server.

Who owns what: the request's own task pulls blocks and sends them. When it first waits, for the source or for `send`,
one more task is made, which watches `receive`; a response that never waits needs none. After a disconnect
it sets the body's `interruption`, which ends what the first task waits for: the source, or a `send` that no longer
returns. No other task uses the body. What a polled source has while the first task waits for it is sent as a step of
that task, which is not resumed for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import lru_cache, partial
from typing import Any

from stream_adapter._body import CLIENT_CLOSED_REQUEST, NO_HOOKS, AsyncBody
from stream_adapter._headers import outgoing_head
from stream_adapter._log import describe_stream, log_stream
from stream_adapter._pump import Begun, in_file_thread, running_loop
from stream_adapter._request import RequestHead
from stream_adapter._resolved import OpenFile, Resolvable, Resolved
from stream_adapter.errors import ClientDisconnected, FileChangedError, RefusalError, ShuttingDown, StreamAborted
from stream_adapter.types import Message, Receive, Scope, Send

from .abort import abort_response
from .early_send import EarlySend
from .other_scopes import answer_other
from .refusal import bare_refusal
from .send_timeout import SendWatch

__all__ = ["deliver", "deliver_plain", "offers_pathsend", "refuse", "serve"]

_DISCONNECTED_GRACE = 1.0  # seconds that a server has to receive a response after its client has disconnected


async def serve(response: Resolvable, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `response`. A lifespan is completed, a websocket is refused.

    Raises:
        UnsupportedError: no asyncio event loop runs.
    """
    running_loop()
    if scope["type"] != "http":
        await answer_other(scope, receive, send)
        return
    body: AsyncBody | None = None
    try:
        resolved = await response.aresolve(RequestHead.from_scope(scope))
        if resolved.is_plain:
            await deliver_plain(resolved, send)
            return
        body = AsyncBody(resolved, NO_HOOKS)
        await deliver(body, receive, send, pathsend=offers_pathsend(scope))
    except RefusalError as error:
        if body is not None and body.begun:
            raise
        await refuse(error, send)


async def refuse(error: RefusalError, send: Send) -> None:
    """Answer with the status of the error, and no body."""
    await send(_start(*bare_refusal(error)))
    await send(_block(b"", more=False))


def offers_pathsend(scope: Scope) -> bool:
    """Return True if the server sends a file by its path: https://asgi.readthedocs.io, "Path Send"."""
    return "http.response.pathsend" in (scope.get("extensions") or {})


async def deliver(body: AsyncBody, receive: Receive, send: Send, *, pathsend: bool = False) -> None:
    """Send a body and close it.

    Args:
        body: not yet started.
        receive: watched for the disconnect; the rest of the request's body is drained.
        send: its OSError is a disconnect too.
        pathsend: whether the server may send a whole file by its path. The source may turn out to be one.

    Raises:
        Exception: what ended the source. `body.begun` says whether something was sent; a RefusalError can be answered
            only before that.
        StreamTimeoutError: a deadline passed.

    A client that receives nothing and a drain are not errors: this returns before the response is complete, and the
    server closes the connection.
    """
    delivery = _Delivery(body, send)
    body.hold_log()
    try:
        try:
            if pathsend and body.file is not None and await _is_at_path(body.file):
                await delivery.run_pathsend(body.file)
            elif not body.is_streaming:
                await delivery.run()
            elif (run := Begun(delivery.run(pathsend=pathsend))).begin():  # what never waits is not watched
                await delivery.watched(run, receive)
            else:
                run.result()
        finally:
            await body.aclose()
    except (ClientDisconnected, StreamAborted) as ending:
        await delivery.end(ending)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if body.begun:
            await abort_response(send, error, body.log_failure)
        raise
    finally:
        body.log_failure()


async def deliver_plain(resolved: Resolved, send: Send) -> None:
    """Send a response that `is_plain`. An OSError of `send` is a disconnect."""
    try:
        await send(_start(resolved.status, resolved.headers))
        await send(_block(resolved.body or b"", more=False))
    except OSError:
        stream = describe_stream(resolved.request, resolved.source.content)
        log_stream(logging.DEBUG, stream, "the client disconnected", "nothing more is sent")


class _Delivery:
    __slots__ = ("_body", "_early", "_handed_head", "_is_sending", "_is_watched", "_send", "_sent_bytes", "_watch")

    def __init__(self, body: AsyncBody, send: Send) -> None:
        self._body = body
        self._send = send
        self._watch: SendWatch | None = None
        self._early: EarlySend | None = None
        self._is_watched = self._handed_head = self._is_sending = False
        self._sent_bytes = 0

    async def watched(self, run: Begun[None], receive: Receive) -> None:
        """Go on with `run` to its end, or until the client disconnects or stops reading."""
        body = self._body
        self._is_watched = True
        if self._handed_head:
            self._begin_watching()
        watcher = asyncio.create_task(_watch(receive, self._on_disconnect, body.log_receive_failure))
        interruptible = asyncio.timeout(None)
        try:
            async with interruptible:
                body.interruption.callback = partial(_expire, interruptible)
                if await run.first_wait():
                    await run
        except TimeoutError:
            if not interruptible.expired():
                raise
            raise body.ending() from None
        finally:
            body.interruption.callback = None
            watcher.cancel()
            if self._early is not None:
                self._early.close()
                self._early = None  # they refer to each other
            if self._watch is not None:
                self._watch.timer.cancel()
                self._watch = None  # they refer to each other

    async def run(self, *, pathsend: bool = False) -> None:
        """Pull and send; what turns out to be a whole file, by its path."""
        body = self._body
        await body.start()
        if self._is_watched:
            self._begin_watching()
        self._handed_head = True
        if pathsend and body.file is not None and await _is_at_path(body.file):
            await self.run_pathsend(body.file)
            return
        await self._put(_start(body.status, body.headers))
        body.begun = True
        block = await body.next()
        if not body.is_streaming:
            await self._put(_block(block or b"", more=False))
            return
        while block is not None:
            if block:
                await self._put(_block(block, more=True))
            elif self._early is not None:
                await self._early.finish()
            block = await body.next()
        await self._put(_block(b"", more=False))

    def _begin_watching(self) -> None:
        """Watch the client of a body that has started, and do not wait for this task, from now on.

        A body that is complete is not watched.
        """
        body = self._body
        if not body.is_streaming:
            return
        watch = self._watch = SendWatch.of(body)
        if watch is not None:
            watch.begin_send(self._sent_bytes)
            if not self._is_sending:
                watch.end_send()
        task = asyncio.current_task() if body.can_send_early else None
        if task is not None:
            self._early = EarlySend(task, self._put_early)
            body.send_early(self._early)

    def _put_early(self, block: bytes) -> Coroutine[Any, Any, None]:
        self._body.count(block)
        return self._put(_block(block, more=True))

    async def run_pathsend(self, file: OpenFile) -> None:
        """Leave the body to the server, which opens the path. It must be the path of the file that the head describes.

        Raises:
            FileChangedError: it was not, just before the server got the message or just after.
        """
        await self._put(_start(self._body.status, self._body.headers))
        self._body.begun = True
        await _check_path(file)
        await self._put({"type": "http.response.pathsend", "path": file.path})
        await _check_path(file)

    async def end(self, ending: ClientDisconnected | StreamAborted) -> None:
        """End a response whose stream was interrupted, without an error for the server to log."""
        body = self._body
        if body.begun and not body.ended_by_client:
            await abort_response(self._send, ending, lambda: None)
        elif isinstance(ending, StreamAborted):
            if self._handed_head:  # the server's `send` has not returned
                raise ending
            raise ShuttingDown from None
        elif not body.begun:
            await _send_499(self._send)
        if body.ended_by_client:
            body.log_disconnect()

    async def _put(self, message: Message) -> None:
        size = len(message.get("body", b""))
        self._sent_bytes += size
        self._is_sending = True
        if self._watch is not None:
            self._watch.begin_send(size)
        try:
            await self._send(message)
        except OSError as error:
            self._body.interrupt("disconnect")
            raise ClientDisconnected from error
        self._is_sending = False
        if self._watch is not None:
            self._watch.end_send()

    def _on_disconnect(self) -> None:
        self._body.interrupt("disconnect")


async def _is_at_path(file: OpenFile) -> bool:
    """Return True if the server would open this file by its path. A thread looks, as the file system may be slow."""
    return file.path is not None and await in_file_thread(file.is_at_path, id)


async def _check_path(file: OpenFile) -> None:
    if not await _is_at_path(file):
        raise FileChangedError("the file was replaced or changed while the server sent it")


async def _send_499(send: Send) -> None:
    """Answer a request whose client disconnected before the response started.

    A middleware may wait for the response: Starlette's BaseHTTPMiddleware raises if an application returns without one.
    The client does not see the status, but metrics and logs do; nginx uses the same one. A server that no longer
    receives is not waited for.
    """
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_DISCONNECTED_GRACE):
            await send(_start(CLIENT_CLOSED_REQUEST, []))
            await send(_block(b"", more=False))


def _expire(scope: asyncio.Timeout) -> None:
    if not scope.expired():  # the callback can be called more than once
        scope.reschedule(asyncio.get_running_loop().time())


async def _watch(receive: Receive, on_disconnect: Callable[[], None], log: Callable[[Exception], None]) -> None:
    """Drain the request's body, then wait for the disconnect."""
    complete = False
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            if complete:  # the body ended twice: this server does not report disconnects
                return
            complete = not message.get("more_body", False)
    except Exception as error:  # noqa: BLE001  # logged; a receive that fails has no client
        log(error)
    on_disconnect()


def _start(status: int, headers: list[tuple[str, str]]) -> Message:
    status, headers = outgoing_head(status, headers)
    pairs = [(_encoded_name(name), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": pairs}


@lru_cache(maxsize=512)  # an application has few, and none is its client's
def _encoded_name(name: str) -> bytes:
    return name.lower().encode("latin-1")


def _block(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
