"""What the two forms of a body share: all but how they wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from stream_adapter._headers import content_length, set_default
from stream_adapter._limits import StreamSummary
from stream_adapter._pump import (
    Interrupted,
    ThreadProducer,
    Window,
    lease,
)
from stream_adapter._resolved import OpenFile, Resolved, whole_body
from stream_adapter._source import Kind, Source
from stream_adapter._types import Reason
from stream_adapter.errors import ChunkEncodingError, ContentLengthError, StreamTimeoutError

from .ends import ClientDisconnected, StreamAborted
from .host import NO_HOST, Host

__all__ = ["Body", "raisable", "result_of"]

logger = logging.getLogger("stream_adapter")

_SLICE = 0.002  # seconds one job may keep a thread that is shared, while other work waits for it

T = TypeVar("T")


class Body:
    """What the two forms share: all but how they wait.

    Attributes:
        status: the status code; final after start.
        headers: pairs of name and value; final after start.
        file: the open file that the whole body is, where a server may send it by itself.
        length: how many bytes the stream must have, as its head says; None if it says nothing. It is final after start,
            unless a framework has sent another Content-Length, and then sets it before it iterates.
    """

    __slots__ = (
        "__weakref__",  # by which the registry holds it
        "_bytes",
        "_closed",
        "_context",
        "_done",
        "_error",
        "_first_at",
        "_flow",
        "_host",
        "_reason",
        "_source",
        "_started",
        "_started_at",
        "_whole",
        "_window",
        "file",
        "headers",
        "length",
        "status",
    )

    def __init__(self, resolved: Resolved, host: Host = NO_HOST) -> None:
        flow = resolved.flow
        self.status: int = resolved.status
        self.headers: list[tuple[str, str]] = resolved.headers
        self.file: OpenFile | None = resolved.file
        self._flow = flow
        self._source = resolved.source
        self._source.enter = host.enter
        self._whole = resolved.body
        self._host = host
        self._context = copy_context() if host.context is None else host.context
        self._window = Window(flow.limits.high_water, flow.limits.max_items)
        self._started_at = time.monotonic()
        self._first_at: float | None = None
        self.length: int | None = None
        self._bytes: int = 0
        self._started = self._done = self._closed = False
        self._reason: Reason | None = None
        self._error: BaseException | None = None

    @property
    def waits(self) -> bool:
        """Whether there is a source to wait for; False if the whole body is known."""
        return self._whole is None

    @property
    def is_inert(self) -> bool:
        """Whether the whole body is known and there is nothing to run, to close or to tell."""
        return self._whole is not None and self._source.kind is Kind.ONE and self._flow.on_close is None

    @property
    def send_timeout(self) -> float | None:
        """Seconds that the client may take nothing; final after start."""
        return self._flow.send_timeout

    def is_held(self) -> bool:
        """Return True while the source waits for the client to take what is ready."""
        return self._window.is_full()

    def _commit(self) -> bytes:
        """Make the headers final and return what the format begins with."""
        if self._window.count:
            self._first_at = time.monotonic()
        format = self._flow.encoder.settle()
        if self._flow.head_of is not None:
            self.status, self.headers = self._flow.head_of(format)
        if self._whole is None:
            if self._flow.keeps_length:
                self.length = content_length(self.headers)
            return format.prefix
        if self._whole:
            set_default(self.headers, "Content-Length", str(len(self._whole)))
        return self._whole

    def _settle_for(self, content: object) -> None:
        """Go on with what an awaitable turned out to be."""
        self._source = Source(content)
        self._source.enter = self._host.enter
        self._whole = whole_body(self._source, self._flow.encoder)
        length = content_length(self.headers) if self._flow.keeps_length else None
        if self._whole is not None and length not in {None, len(self._whole)}:
            raise ContentLengthError(length or 0, len(self._whole), complete=True)

    @property
    def _one_by_one(self) -> bool:
        return self._flow.flush == "item"

    def _keepalive(self) -> tuple[float | None, bytes]:
        format = self._flow.encoder.format
        return format.keepalive, format.keepalive_frame

    def _raise_unless(self, batch: list[bytes]) -> None:
        """Raise what ended the source, if there is nothing left to send before that."""
        error = self._window.error
        if batch or error is None:
            return
        if isinstance(error, ChunkEncodingError) and error.index is None:
            error.index = self._window.count  # all before it have been taken, so this is its number
        raise raisable(error)

    def _leased_thread(self, *owned: Any) -> ThreadProducer:
        submit = self._flow.submit or self._host.submit
        if submit is not None:
            return ThreadProducer(*owned, submit=submit, release=_nothing, slice_seconds=_SLICE)
        worker = lease()
        release = partial(_leave, self._host.thread_exit, worker.release)
        return ThreadProducer(*owned, submit=worker.submit, release=release, slice_seconds=None)

    def ending(self) -> Exception:
        """Return what to raise where the stream was told to end, by the reason that it was given."""
        if self._reason is None or self._reason == "disconnect":
            return ClientDisconnected()
        if self._reason == "send_timeout":
            return StreamTimeoutError("send_timeout", self.send_timeout or 0)
        return StreamAborted(self._reason)

    def _interrupted(self, interruption: Interrupted) -> Exception:
        self._reason = self._reason or interruption.reason
        return self.ending()

    def _note(self, error: BaseException) -> None:
        """Note what ended the stream, unless it was told to end."""
        if self._reason is None:
            self._error = error
            self._reason = error.reason if isinstance(error, StreamTimeoutError) else "error"

    def _fail(self, error: BaseException) -> bytes:
        """Note and log what ended a stream after commit; return what tells the client, or nothing."""
        if self._reason is not None:  # it was told to end: nobody failed
            return b""
        self._note(error)
        logger.error("a stream failed after it had begun; the connection is broken", exc_info=error)
        try:
            record = None if self._flow.on_error is None else self._flow.on_error(error)
            if self.length is not None:
                return b""  # it would count as a part of the body that was promised
            if record is not None:
                return self._flow.encoder.encode_error(record)
        except Exception:
            logger.exception("on_error failed")
        return b"" if self.length is not None else self._flow.encoder.format.error_record() or b""

    def _summary(self) -> StreamSummary:
        now = time.monotonic()
        reason = self._reason or ("done" if self._done else "disconnect" if self._started else "not_started")
        return StreamSummary(
            reason=reason,
            error=self._error,
            chunks=self._window.count,
            bytes_sent=self._bytes,
            time_to_first_chunk=None if self._first_at is None else self._first_at - self._started_at,
            duration=now - self._started_at,
        )

    def _report(self) -> Any:
        if self._flow.on_close is None:
            return None
        try:
            return self._flow.on_close(self._summary())
        except Exception:
            logger.exception("on_close failed")
            return None

    def _warn_stuck(self) -> None:
        logger.warning("a source did not close within %s s and is left to itself", self._flow.limits.close_timeout)
        if self._host.left is not None:
            self._host.left()


def _nothing() -> None:
    pass


def _leave(thread_exit: Callable[[], object] | None, release: Callable[[], object]) -> None:
    try:
        if thread_exit is not None:
            thread_exit()
    except Exception:
        logger.exception("a framework failed to leave the thread of a source")
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
