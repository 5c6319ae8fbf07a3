"""The source of a response under WSGI: one call of an ASGI application, in a task of the background loop.

It has two readers, one after the other. The application begins in `run_first_step`, for which the request's thread
waits: many an answer is complete then, and needs no pump. If the application waits, or sends a part of a longer body,
the pump takes over: it iterates this source, whose only step is all the rest.

    owned by the loop    everything, once the application has begun
    the request's thread reads `is_complete`, `head` and `body` when the step is over
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import Context, copy_context
from typing import Any

from stream_adapter._body import SyncBody
from stream_adapter._headers import checked_headers, content_length, field_value, outgoing_head
from stream_adapter._log import describe_stream, log_stream
from stream_adapter._media_types import EVENT_STREAM, without_parameters
from stream_adapter._pump import TaskProducer, ThreadWaker, background_loop
from stream_adapter._pump.tasks import eager_task
from stream_adapter._receive_timeout import BodyTimeout
from stream_adapter._request import RequestHead
from stream_adapter._resolved import LARGE_BODY
from stream_adapter._serve.abort import raise_if_aborted
from stream_adapter._status import is_bodiless
from stream_adapter.errors import BodyNotWanted, ClientDisconnected, RefusalError, follows_from_the_end
from stream_adapter.types import ASGIApp, Environ, Message

from .receive import InputReceiver
from .scope import scope_of

__all__ = ["ASGISource"]

_FIRST_STEP = 0.05  # seconds that a thread waits for it; then the pump takes over, with deadlines and the disconnect
_NOTICE = 0.05  # seconds for an application to receive the disconnect; then it is cancelled
_GRACE = 0.5  # seconds for it to end then; then the request ends without it
_EVENTS_COMMIT_AFTER = 0.25  # seconds for which the head of an event stream waits for its first event

_background: set[asyncio.Task[None]] = set()  # run on after their response; a loop refers to its tasks weakly


class ASGISource(AsyncIterator[bytes]):
    """The source of a response: one call of an ASGI application.

    Args:
        app: the application.
        environ: the request.
        state: of the application's lifespan.
        receive_timeout: seconds that a read of its body waits for a silent client.

    Attributes:
        log_name: its name in the log.
        body: the body that sends this source. It must be set before it is iterated.
    """

    log_name = "ASGI application"
    body: SyncBody
    _receiver: InputReceiver
    _ended: asyncio.Event
    _task: asyncio.Task[None]
    _attached: asyncio.Event

    def __init__(self, app: ASGIApp, environ: Environ, state: dict[str, Any], receive_timeout: float | None) -> None:
        self._app = app
        self._receive_timeout = receive_timeout
        self._environ = environ
        self._state = state
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._rest: int | None = None  # bytes of Content-Length that are not sent yet; None: without one
        self._bodiless = environ["REQUEST_METHOD"] == "HEAD"
        self._flows = False  # whether chunks are put without further checks
        self._begun = self._complete = False
        self._error: BaseException | None = None
        self._turn = asyncio.Lock()
        self._producer: TaskProducer | None = None  # of the pump, once that has taken over
        self._put: Callable[[bytes], bool] = self._put_early
        self._early: list[bytes] = []  # chunks, and jobs of the request's thread, from before that
        self._early_jobs: list[Callable[[], object]] = []

    def run_first_step(self, context: Context) -> bytes | None:
        """Run the application until it first waits; return the body if its response is complete, and not large.

        Args:
            context: where the application runs, in a copy of it.
        """
        loop, stepped, waker = background_loop(), threading.Event(), ThreadWaker()

        def step() -> None:
            try:
                self._begin(context.copy())
            except RefusalError:
                pass  # it has not begun: the pump raises this again, where it is answered
            finally:
                stepped.set()
                waker.wake()

        loop.call_soon_threadsafe(step)
        try:
            waker.wait(stepped.is_set, _FIRST_STEP)
        except BaseException:
            loop.call_soon_threadsafe(self._abandon)
            raise
        if not self._complete or sum(map(len, self._early)) > LARGE_BODY:
            return None
        return b"".join(self._early)

    def _begin(self, context: Context) -> None:
        """Make the application's task, and run it until it first waits.

        Raises:
            BadLengthError: the Content-Length is not a number of bytes.
        """
        self._receiver = InputReceiver(self._environ, self._call_soon, self._receive_timeout)
        self._begun = True
        self._ended, self._attached = asyncio.Event(), asyncio.Event()
        self._task = eager_task(asyncio.get_running_loop(), self._run(), context)
        if self._complete:
            self._keep_task()

    def _attach(self) -> None:
        """Hand what was sent so far to the pump, which runs now."""
        producer = self._producer = self.body.producer(TaskProducer)
        self._put = producer.put
        for chunk in self._early:
            producer.put(chunk)
        for job in self._early_jobs:
            self.body.call_soon(job)
        self._attached.set()

    async def __anext__(self) -> bytes:
        """Run the application until its response is complete."""
        if not self._begun:
            self._begin(copy_context())
        self._attach()
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        if self._complete:
            raise StopAsyncIteration
        if self._receiver.withheld is not None:
            raise BodyTimeout(self._receiver.withheld)
        if self._receiver.closed:
            raise ClientDisconnected
        raise RuntimeError("the ASGI application returned before its response was complete")

    @property
    def _name(self) -> str:
        return describe_stream(RequestHead.from_environ(self._environ), self)

    async def _run(self) -> None:
        try:
            await self._app(scope_of(self._environ, self._state), self._receiver.receive, self._send)
        except BaseException as error:  # noqa: BLE001  # __anext__ raises it
            if not self._receiver.closed:
                self._error = error
            elif self._complete and not (isinstance(error, asyncio.CancelledError) or follows_from_the_end(error)):
                happened, then = "failed after its response was complete", "the response is not affected"
                log_stream(logging.ERROR, self._name, happened, then, error=error)
            else:
                happened, then = "ended after its client disconnected", "nothing more is done"
                log_stream(logging.DEBUG, self._name, happened, then, error=error)
        finally:
            self._ended.set()

    async def aclose(self) -> None:
        """Send the application the disconnect; cancel it if its response was not complete and it does not end."""
        if not self._begun:
            return
        self._close()
        task = self._task
        if not self._complete:
            await asyncio.wait({task}, timeout=_NOTICE)
            if not self._receiver.notified:
                task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)
        self._keep_task()

    def _keep_task(self) -> None:
        """Let the application go on after its response."""
        if not self._task.done():
            _background.add(self._task)
            self._task.add_done_callback(_background.discard)

    def _abandon(self) -> None:
        """End the application: the server has interrupted the request's thread."""
        if self._begun:
            self._close()
            self._task.cancel()
            self._keep_task()

    def _call_soon(self, job: Callable[[], object]) -> None:
        if self._producer is None:
            self._early_jobs.append(job)
        else:
            self.body.call_soon(job)

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers, which are final once there is a chunk."""
        return self._status or 200, self._headers

    async def _send(self, message: Message) -> None:
        if self._flows and message["type"] == "http.response.body" and message.get("more_body"):
            chunk = message.get("body", b"")
            if chunk.__class__ is bytes:  # nearly every message of a stream
                if chunk and self._put(chunk):
                    await self._wait_for_room()
                return
        if self._receiver.closed:
            self._refuse(message)
        if message["type"] != "http.response.body":
            self._start(message)
            return
        chunk = self._checked(message.get("body", b""))
        is_last = self._bodiless or not message.get("more_body")
        if chunk and self._put(chunk) and not is_last:
            await self._wait_for_room()
        if is_last:
            self._finish()

    def _put_early(self, chunk: bytes) -> bool:
        """Keep a chunk until the pump takes over. There is room for one."""
        self._early.append(chunk)
        return True

    async def _wait_for_room(self) -> None:
        async with self._turn:
            await self._attached.wait()
            if self._producer is not None:
                await self._producer.wait_for_room()

    def _refuse(self, message: Message) -> None:
        if self._complete and not self._bodiless:
            raise RuntimeError(f"{message['type']} was sent after the response was complete")
        self._receiver.notified = True
        raise BodyNotWanted if self._complete else ClientDisconnected

    def _checked(self, body: Any) -> bytes:
        """Return the bytes to send.

        Raises:
            TypeError: it is not bytes.
            Exception: it is the sign that the response inside was aborted: what has ended that.
            RuntimeError: it comes before the head, or the body exceeds its Content-Length.
        """
        if self._status is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if self._bodiless:
            return b""
        if type(body) not in {bytes, bytearray, memoryview}:
            raise_if_aborted(body)
            raise TypeError(f"http.response.body: expected bytes, got {type(body).__name__}")
        chunk = bytes(body)
        if self._rest is not None:
            self._rest -= len(chunk)
            if self._rest < 0:
                raise RuntimeError(f"the body is {-self._rest} bytes longer than its Content-Length")
        return chunk

    def _start(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            raise ValueError(f"{message['type']}: expected http.response.start or .body; no extension was offered")
        if self._status is not None:
            raise RuntimeError("http.response.start was sent twice")
        if message.get("trailers"):
            raise ValueError("http.response.start: trailers were not offered; WSGI has none")
        pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ()))
        self._status, self._headers = outgoing_head(_check_status(message["status"]), checked_headers(pairs))
        self._bodiless = self._bodiless or is_bodiless(self._status)
        length = content_length(self._headers)
        self._rest = None if self._bodiless else length
        self._flows = not self._bodiless and self._rest is None
        if without_parameters(field_value(self._headers, "content-type") or "") == EVENT_STREAM:
            asyncio.get_running_loop().call_later(_EVENTS_COMMIT_AFTER, self._commit)

    def _commit(self) -> None:
        """Send the head by an empty chunk, if the server supports that, before a first event that is late."""
        sent = self._early if self._producer is None else self._producer.buffer.count
        if not self._receiver.closed and not sent:
            self._put(b"")

    def _finish(self) -> None:
        if self._rest and not self._bodiless:
            raise RuntimeError(f"the body is {self._rest} bytes shorter than its Content-Length")
        self._complete = True
        self._close()
        self._ended.set()

    def _close(self) -> None:
        self._flows = False
        self._receiver.close()


def _check_status(status: object) -> int:
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"http.response.start: expected a status from 200 to 599, got {status!r}")
    return int(status)
