"""A response to an ASGI 3.0 server.

Who owns what: the request's own task pulls blocks and sends them. When it first waits, for the source or for `send`,
one more task is made, which watches `receive`, and ends with the response; a response that never waits needs none. No
other task uses the body. What a polled source has while the first task waits for it is sent as a step of that task,
which is not resumed for it.

After a disconnect the second task sets the body's `interruption`, as a passed deadline and a drain do. That wakes the
first one where it waits for the source, which is the usual end. Wherever else it waits, as in a `send` that no longer
returns, it is cancelled a step later, as `asyncio.timeout` would cancel it; it takes that cancellation back itself.

Thousands of silent streams stand in `deliver` and in `run`, where each awaits a future. What only the start needs has
returned by then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from stream_adapter._body import CLIENT_CLOSED_REQUEST, WAIT, AsyncBody
from stream_adapter._headers import encoded_fields, outgoing_head
from stream_adapter._pump import Begun
from stream_adapter._resolved import OpenFile
from stream_adapter.errors import ClientDisconnected, RefusalError, ShuttingDown, StreamAborted
from stream_adapter.types import Message, Receive, Send

from .abort import abort_response
from .breaking import break_connection
from .early_send import EarlySend
from .pathsend import check_path, sent_by_path
from .refusal import bare_refusal
from .send_timeout import SendWatch

__all__ = ["block_message", "deliver", "refuse", "start_message"]

_DISCONNECTED_GRACE = 1.0  # seconds that a server has to receive a response after its client has disconnected


async def refuse(error: RefusalError, send: Send) -> None:
    """Answer with the status of the error, and no body."""
    await send(start_message(*bare_refusal(error)))
    await send(block_message(b"", more=False))


async def deliver(
    body: AsyncBody, receive: Receive, send: Send, *, pathsend: bool = False, refuses: bool = False
) -> None:
    """Send a body and close it.

    Args:
        body: not yet started.
        receive: watched for the disconnect; the rest of the request's body is drained.
        send: its OSError is a disconnect too.
        pathsend: whether the server may send a whole file by its path. The source may turn out to be one.
        refuses: whether a RefusalError that comes before anything was sent is answered here.

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
            file = await sent_by_path(body) if pathsend else None
            is_watched = body.is_streaming and file is None
            run = Begun(delivery.run(pathsend=pathsend) if file is None else delivery.run_pathsend(file))
            if not run.begin():  # what never waits is not watched
                run.result()
            else:
                if is_watched:
                    delivery.watch(receive)
                if await run.first_wait():
                    await run
        except asyncio.CancelledError:
            if delivery.end_watch():
                raise body.ending() from None
            raise
        finally:
            delivery.end_watch()
            await body.aclose()
    except (ClientDisconnected, StreamAborted) as ending:
        await delivery.end(ending)
    except BaseException as error:
        if not await delivery.answers(error, refuses=refuses):
            raise
    finally:
        body.log_failure()


class _Watched:
    """A response that is watched once it waits. Used by its own task, on its loop.

    Args:
        body: what is sent.
    """

    __slots__ = ("_body", "_cancellations", "_expiry", "_is_cancelled", "_task", "_watcher")

    def __init__(self, body: AsyncBody) -> None:
        self._body = body
        self._watcher: asyncio.Task[None] | None = None  # of `receive`, while it is watched
        self._task: asyncio.Task[Any]  # that sends
        self._cancellations: int  # of that task, when the watch began
        self._expiry: asyncio.Handle | None = None
        self._is_cancelled = False

    def watch(self, receive: Receive) -> None:
        """Watch it, from now on; call it in the task that sends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine that waits on an asyncio loop runs in one
        self._task, self._cancellations = task, task.cancelling()
        self._watcher = asyncio.create_task(_receive(receive, self._body))
        self._body.interruption.callback = self

    def end_watch(self) -> bool:
        """Watch no longer; return True if the interruption has cancelled the task. Does nothing the second time."""
        watcher, self._watcher = self._watcher, None
        if watcher is None:
            return False
        watcher.cancel()
        self._body.interruption.callback = None
        if self._expiry is not None:
            self._expiry.cancel()
        return self._is_cancelled and self._task.uncancel() <= self._cancellations

    def __call__(self) -> None:
        """Cancel the task soon, unless it ends by itself before; called when the stream is interrupted."""
        if self._expiry is None:  # the callback can be called more than once
            self._expiry = self._task.get_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        self._is_cancelled = True
        self._task.cancel()


class _Delivery(_Watched):
    """One response."""

    __slots__ = ("_early", "_handed_head", "_is_sending", "_send", "_watch", "_watched_bytes")

    def __init__(self, body: AsyncBody, send: Send) -> None:
        super().__init__(body)
        self._send = send
        self._watch: SendWatch | None = None  # made by the first `send` that is watched
        self._early: EarlySend | None = None
        self._handed_head = self._is_sending = False
        self._watched_bytes = 0  # that the watch knows of

    def watch(self, receive: Receive) -> None:
        """Watch the client of a response that waits, and how much it takes; call it in the task that sends."""
        super().watch(receive)
        if self._handed_head:
            self._send_early()
        if self._is_sending:
            self._begin_send()

    def end_watch(self) -> bool:
        """Watch no longer; return True if the interruption has cancelled the task."""
        if self._watcher is None:  # it was not watched
            return False
        if self._early is not None:
            self._early.close()
            self._early = None  # they refer to each other
        if self._watch is not None:
            self._watch.close()
            self._drop_watch()
        return super().end_watch()

    async def run(self, *, pathsend: bool = False) -> None:
        """Pull and send; what turns out to be a whole file, by its path."""
        body = self._body
        await body.start()
        if self._watcher is not None:
            self._send_early()
        self._handed_head = True
        file = await sent_by_path(body) if pathsend else None
        if file is not None:
            await self.run_pathsend(file)
            return
        await self._put(self._send, start_message(body.status, body.headers))
        body.begun = True
        if not body.is_streaming:
            await self._put(self._send, block_message(await body.next() or b"", more=False))
            return
        while (block := body.take()) is not None:
            if block is WAIT:
                await body.wait()
            elif block:
                await self._put(self._send, block_message(block, more=True))
            elif self._early is not None:
                await self._put(self._early.finish)
        await self._put(self._send, block_message(b"", more=False))

    def _send_early(self) -> None:
        """Do not wait for this task to send what comes while it waits, from now on."""
        if self._body.can_send_early:
            self._early = EarlySend(self._task, self)
            self._body.send_early(self._early)

    async def put_early(self, block: bytes) -> None:
        """Send a block as a step of the task, which finishes it, and watches it, only if it waits."""
        self._body.count(block)
        await self._send(block_message(block, more=True))

    async def run_pathsend(self, file: OpenFile) -> None:
        """Leave the body to the server, which opens the path. It must be the path of the file that the head describes.

        Raises:
            FileChangedError: it was not, just before the server got the message or just after.
        """
        await self._put(self._send, start_message(self._body.status, self._body.headers))
        self._body.begun = True
        await check_path(file)
        await self._put(self._send, {"type": "http.response.pathsend", "path": file.path})
        await check_path(file)

    async def end(self, ending: ClientDisconnected | StreamAborted) -> None:
        """End a response whose stream was interrupted, without an error for the server to log."""
        body = self._body
        if body.begun and not body.ended_by_client:
            await break_connection(body)
            await abort_response(self._send, ending, lambda: None)
        elif isinstance(ending, StreamAborted):
            if self._handed_head:  # the server's `send` has not returned
                raise ending
            raise ShuttingDown from None
        elif not body.begun:
            await _send_499(self._send)
        if body.ended_by_client:
            body.log_disconnect()

    async def answers(self, error: BaseException, *, refuses: bool) -> bool:
        """Answer a refusal that comes in time, and return True; abort a response that has begun."""
        if self._body.begun and not isinstance(error, asyncio.CancelledError):
            await break_connection(self._body)
            await abort_response(self._send, error, self._body.log_failure)
        if self._body.begun or not (refuses and isinstance(error, RefusalError)):
            return False
        await refuse(error, self._send)
        return True

    async def _put(self, send: Callable[..., Awaitable[None]], *message: Message) -> None:
        """Send, and watch the client while that waits."""
        self._is_sending = True
        if self._watcher is not None:
            self._begin_send()
        try:
            await send(*message)
        except OSError as error:
            self._body.interrupt("disconnect")
            raise ClientDisconnected from error
        self._is_sending = False
        if self._watch is not None:
            self._watch.end_send()

    def _begin_send(self) -> None:
        body = self._body
        if self._watch is None and body.is_streaming:
            self._watch = SendWatch.of(body, self._drop_watch)
        if self._watch is not None:
            self._watch.begin_send(body.bytes_sent - self._watched_bytes)
            self._watched_bytes = body.bytes_sent

    def _drop_watch(self) -> None:
        self._watch = None  # they refer to each other
        self._watched_bytes = 0


async def _receive(receive: Receive, body: AsyncBody) -> None:
    """Drain the request's body, then wait for the disconnect."""
    complete = False
    try:
        while (message := await receive())["type"] != "http.disconnect":
            if complete:  # the body ended twice: this server does not report disconnects
                return
            complete = not message.get("more_body", False)
            del message  # the next one may not come for hours
    except Exception as error:  # noqa: BLE001  # logged; a receive that fails has no client
        body.log_receive_failure(error)
    body.interrupt("disconnect")


async def _send_499(send: Send) -> None:
    """Answer a request whose client disconnected before the response started.

    A middleware may wait for the response: Starlette's BaseHTTPMiddleware raises if an application returns without one.
    The client does not see the status, but metrics and logs do; nginx uses the same one. A server that no longer
    receives is not waited for.
    """
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_DISCONNECTED_GRACE):
            await send(start_message(CLIENT_CLOSED_REQUEST, []))
            await send(block_message(b"", more=False))


def start_message(status: int, headers: list[tuple[str, str]]) -> Message:
    status, headers = outgoing_head(status, headers)
    return {"type": "http.response.start", "status": status, "headers": encoded_fields(headers)}


def block_message(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
