"""What the two forms of a body share: all but how they wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar
from weakref import ref

from stream_adapter._headers import content_length, set_default
from stream_adapter._limits import StreamSummary
from stream_adapter._log import describe_stream, expect_reports, is_first_report, log_close_failure, log_stream
from stream_adapter._pump import (
    Buffer,
    Interruption,
    Pipe,
    Producer,
    ThreadProducer,
    Waker,
    lease,
)
from stream_adapter._resolved import OpenFile, Resolved, whole_body
from stream_adapter._source import Kind, Source
from stream_adapter.errors import (
    ChunkEncodingError,
    ClientDisconnected,
    ContentLengthError,
    StreamAborted,
    StreamTimeoutError,
    disconnect_error,
)
from stream_adapter.types import Reason

from .hooks import NO_HOOKS, Hooks

__all__ = ["CLIENT_CLOSED_REQUEST", "CLOSING", "Body", "raisable", "result_of"]

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left before its response; RFC 9110 has none
CLOSING = "closing the connection"
_BLOCKING = (
    "every other request of this loop waits; await an async client or asyncio.sleep instead, or write the source as a"
    " plain generator (def), which has a thread of its own"
)
_SLICE = 0.002  # seconds one job may keep a thread that is shared, while other work waits for it

P = TypeVar("P", bound=Producer)
T = TypeVar("T")


class Body:
    """What the two forms share: all but how they wait.

    Attributes:
        status: the status code; final after start.
        headers: pairs of name and value; final after start.
        interruption: ends the stream; a server side sets its `callback`.
        file: the open file that the whole body is, where a server may send it by itself.
        length: how many bytes the stream must have, as its head says; None if it says nothing. It is final after start,
            unless a framework has sent another Content-Length, and then sets it before it iterates.
    """

    __slots__ = (
        "__weakref__",  # by which the registry holds it
        "_buffer",
        "_bytes",
        "_closed",
        "_complete_body",
        "_context",
        "_done",
        "_error",
        "_first_at",
        "_flow",
        "_hooks",
        "_one_by_one",
        "_producer",
        "_reason",
        "_request",
        "_source",
        "_started",
        "_started_at",
        "file",
        "headers",
        "interruption",
        "length",
        "status",
    )

    def __init__(self, resolved: Resolved, hooks: Hooks = NO_HOOKS) -> None:
        flow = resolved.flow
        self.status: int = resolved.status
        self.headers: list[tuple[str, str]] = resolved.headers
        self.file: OpenFile | None = resolved.file
        self._flow = flow
        self._one_by_one = flow.flush == "item"
        self._request = resolved.request
        self._use_source(resolved.source, hooks)
        self._complete_body = resolved.body
        self._hooks = hooks
        self._context = copy_context() if hooks.context is None else hooks.context
        self._buffer = Buffer(flow.limits.high_water, flow.limits.max_items)
        self._producer: Producer | None = None
        self.interruption = Interruption()
        self._started_at = time.monotonic()
        self._first_at: float | None = None
        self.length: int | None = None
        self._bytes: int = 0
        self._started = self._done = self._closed = False
        self._reason: Reason | None = None
        self._error: BaseException | None = None

    def _use_source(self, source: Source, hooks: Hooks) -> None:
        self._source = source
        source.on_open = hooks.on_open
        source.owner = ref(self)

    @property
    def is_streaming(self) -> bool:
        """Whether there is a source to wait for; False if the body is complete."""
        return self._complete_body is None

    @property
    def is_noop(self) -> bool:
        """Whether the body is complete and needs neither closing nor reporting."""
        return self._complete_body is not None and self._source.kind is Kind.ONE and self._flow.on_close is None

    waits, is_inert = is_streaming, is_noop  # their former names

    @property
    def send_timeout(self) -> float | None:
        """Seconds that the client may take nothing; final after start."""
        return self._flow.send_timeout

    def is_held(self) -> bool:
        """Return True while the source waits for the client to take what is ready."""
        return self._buffer.is_full()

    @property
    def client(self) -> tuple[str, int] | None:
        """The address of the client, where an ASGI server names it."""
        return None if self._request is None else self._request.client

    def _commit(self) -> bytes:
        """Make the headers final and return what the format begins with."""
        if self._buffer.count:
            self._first_at = time.monotonic()
        format = self._flow.encoder.settle()
        if self._flow.head_of is not None:
            self.status, self.headers = self._flow.head_of(format)
        if self._complete_body is None:
            if self._flow.keeps_length:
                self.length = content_length(self.headers)
            return format.prefix
        if self._complete_body:
            set_default(self.headers, "Content-Length", str(len(self._complete_body)))
        return self._complete_body

    def _use_result(self, content: object) -> None:
        """Go on with what an awaitable turned out to be."""
        self._use_source(Source(content), self._hooks)
        self._complete_body = whole_body(self._source, self._flow.encoder)
        length = content_length(self.headers) if self._flow.keeps_length else None
        if self._complete_body is not None and length not in {None, len(self._complete_body)}:
            raise ContentLengthError(length or 0, len(self._complete_body), complete=True)

    def _keepalive(self) -> tuple[float | None, bytes]:
        format = self._flow.encoder.format
        return format.keepalive, format.keepalive_frame

    def _raise_source_error(self) -> None:
        """Raise the exception that ended the source, if one did; call it after all chunks before it were sent."""
        error = self._buffer.error
        if error is None:
            return
        if isinstance(error, ChunkEncodingError) and error.index is None:
            error.index = self._buffer.count  # all before it have been taken, so this is its number
        raise raisable(error)

    def _pipe(self, waker: Waker) -> Pipe:
        return Pipe(self._source, self._flow.encoder, self._buffer, waker, self._context)

    def producer(self, kind: type[P]) -> P:
        """Return the running producer, for a source that also sends chunks which it does not yield.

        Raises:
            RuntimeError: a producer of another kind runs, or none yet.
        """
        if not isinstance(self._producer, kind):
            raise RuntimeError(f"producer: expected a running {kind.__name__}, got {self._producer!r}")  # noqa: TRY004  # a wrong state, not a wrong type
        return self._producer

    def _thread_producer(self, pipe: Pipe) -> ThreadProducer:
        submit = self._flow.submit or self._hooks.submit
        if submit is not None:
            return ThreadProducer(pipe, submit=submit, release=_nothing, slice_seconds=_SLICE)
        worker = lease()
        release = partial(_leave, self._hooks.on_thread_exit, worker.release)
        return ThreadProducer(pipe, submit=worker.submit, release=release, slice_seconds=None)

    def ending(self) -> Exception:
        """Return what to raise where the stream was told to end, by the reason that it was given."""
        if self._reason == "total_timeout":
            return StreamTimeoutError(self._reason, self._flow.limits.total_timeout or 0)
        connection = self._hooks.connection
        breaks = connection is not None and connection.can_abort
        if breaks or self._reason in {None, "disconnect", "send_timeout"}:  # to all who send to it, the client has gone
            return disconnect_error(None if connection is None else connection.disconnect_error)
        return StreamAborted(self._reason or "disconnect")

    @property
    def seconds_left(self) -> float | None:
        """Seconds until `total_timeout`, counted from now; None if there is none."""
        total = self._flow.limits.total_timeout
        return None if total is None else self._started_at + total - time.monotonic()

    @property
    def ended_by_client(self) -> bool:
        """Whether it was the client who ended the stream, if anything has."""
        return self._reason in {None, "disconnect"}

    def _end_for(self, reason: Reason) -> None:
        """Note why the stream was told to end."""
        self._reason = reason
        self._log_end()

    def _log_end(self) -> None:
        """Log why the stream was told to end, if that is of interest."""
        if self._reason == "send_timeout":
            self._log(logging.INFO, f"the client took nothing for {self.send_timeout or 0:g} s", CLOSING)
        elif self._reason == "total_timeout":
            self._log(logging.WARNING, f"ended by {self.ending()}", CLOSING)

    def _interrupted(self) -> Exception:
        """Return what to raise after an interruption, and note its reason."""
        self._reason = self._reason or self.interruption.reason
        return self.ending()

    def _note(self, error: BaseException) -> None:
        """Note what ended the stream, unless it was told to end."""
        if isinstance(error, ChunkEncodingError) and error.__suppress_context__:
            _keep_cause_only(error)
        if self._reason is None:
            self._error = error
            self._reason = error.reason if isinstance(error, StreamTimeoutError) else "error"

    def _fail(self, error: BaseException) -> bytes:
        """Note and log what ended a stream after commit; return what tells the client, or nothing."""
        if self._reason is None and isinstance(error, ClientDisconnected):
            self._reason = "disconnect"  # a stream within this one was the first to see it
        if self._reason is not None:  # it was told to end: nobody failed
            return b""
        self._note(error)
        self._log_failure(error, self._progress)
        try:
            record = None if self._flow.on_error is None else self._flow.on_error(error)
            if self.length is not None:
                return b""  # it would count as a part of the body that was promised
            if record is not None:
                return self._flow.encoder.encode_error(record)
        except Exception as failure:  # noqa: BLE001  # the caller's code; the stream's own failure is raised
            self._log(logging.ERROR, "on_error failed", CLOSING, failure)
        return b"" if self.length is not None else self._flow.encoder.format.error_record() or b""

    def expect_reports(self) -> None:
        """Leave a failure to the streams within this one that have reported it: its source is an application."""
        self._context.run(expect_reports)

    def report_failure(self, error: BaseException) -> None:
        """Note and log the failure of a server that sends the body by itself."""
        self._fail(error)

    def _summary(self) -> StreamSummary:
        now = time.monotonic()
        reason = self._reason or ("done" if self._done else "disconnect" if self._started else "not_started")
        return StreamSummary(
            reason=reason,
            error=self._error,
            chunks=self._buffer.count,
            bytes_sent=self._bytes,
            time_to_first_chunk=None if self._first_at is None else self._first_at - self._started_at,
            duration=now - self._started_at,
        )

    def _report(self) -> Any:
        if self._flow.on_close is None:
            return None
        try:
            return self._flow.on_close(self._summary())
        except Exception as error:  # noqa: BLE001  # the caller's code; the stream is over
            self._log_report_failure(error)
            return None

    def _warn_stuck(self) -> None:
        timeout = self._flow.limits.close_timeout or 0
        self._log(logging.WARNING, f"the source did not close within {timeout:g} s", "abandoning it")
        if self._hooks.on_stuck is not None:
            self._hooks.on_stuck()

    @property
    def _name(self) -> str:
        return describe_stream(self._request, self._source.content)

    @property
    def _progress(self) -> tuple[int, int]:
        return self._buffer.count, self._bytes

    def _log(self, level: int, happened: str, then: str, error: BaseException | None = None) -> None:
        log_stream(level, self._name, happened, then, progress=self._progress, error=error)

    def _log_failure(self, error: BaseException, progress: tuple[int, int]) -> None:
        if isinstance(error, StreamTimeoutError) and error.reason == self._reason:
            log_stream(logging.WARNING, self._name, f"ended by {error}", CLOSING, progress=progress)
        elif is_first_report(error, self._context):
            happened = "failed after the response started"
            log_stream(logging.ERROR, self._name, happened, CLOSING, progress=progress, error=error)

    def _respond_without_client(self) -> None:
        """Become a response for a client that has left before the first item, so that a framework has one."""
        self.status, self.headers, self._complete_body = CLIENT_CLOSED_REQUEST, [], b""
        self.log_disconnect()

    def log_disconnect(self) -> None:
        """Log that the client has left, which is not an error, whenever it is."""
        self._log(logging.DEBUG, "the client disconnected", "nothing more is sent")

    def log_receive_failure(self, error: Exception) -> None:
        """Log that the server's `receive` raised, which is taken for a disconnect."""
        self._log(logging.DEBUG, "receive failed", "it is taken for a disconnect", error)

    def _log_report_failure(self, error: Exception) -> None:
        self._log(logging.ERROR, "on_close failed", f"the stream has ended ({self._summary().reason})", error)

    def log_blocking(self, where: str) -> None:
        """Log that an async source blocks its event loop, and what to do about that."""
        self._log(logging.WARNING, f"the source blocks the event loop, at {where}", _BLOCKING)

    def log_close_failure(self, error: BaseException) -> None:
        """Log what the source raised when it was closed, which nothing else will see."""
        log_close_failure(self._name, error, self._progress)


def _keep_cause_only(error: ChunkEncodingError) -> None:
    """Drop what our codecs tried before: BaseHTTPMiddleware shows a context although it was suppressed."""
    error.__context__ = error.__cause__
    if error.__cause__ is not None:
        error.__cause__.__suppress_context__ = True


def _nothing() -> None:
    pass


def _leave(on_thread_exit: Callable[[], object] | None, release: Callable[[], object]) -> None:
    try:
        if on_thread_exit is not None:
            on_thread_exit()
    except Exception as error:  # noqa: BLE001  # the framework's; the thread goes on to the next stream
        log_stream(
            logging.ERROR,
            "a thread of sync sources",
            "Hooks.on_thread_exit failed",
            "the thread is reused",
            error=error,
        )
    finally:
        release()


def raisable(error: BaseException) -> BaseException:
    """Return what may be raised in the server's task: a source's own cancellation must not pass for the server's."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        wrapped = RuntimeError(f"the source raised {type(error).__name__}")
        wrapped.__cause__ = error
        return wrapped
    return error


async def result_of(awaitable: Awaitable[T]) -> T:
    """Await it, as a coroutine."""
    return await awaitable
