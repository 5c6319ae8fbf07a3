"""The base of the sync and the async body: everything except how they wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar
from weakref import ref

from stream_adapter._headers import Pairs, content_length, set_default, without_fields
from stream_adapter._log import log_stream
from stream_adapter._pump import (
    Buffer,
    Interruption,
    Pipe,
    Producer,
    ThreadProducer,
    Waker,
    lease,
)
from stream_adapter._resolved import OpenFile, Resolved
from stream_adapter._source import Kind, Source
from stream_adapter.errors import (
    ChunkEncodingError,
    ContentLengthError,
)
from stream_adapter.types import Reason

from .hooks import NO_HOOKS, Hooks
from .report import Report

__all__ = ["CLIENT_CLOSED_REQUEST", "Body", "raisable", "result_of"]

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left before its response; RFC 9110 has none
_SLICE = 0.002  # seconds for which a job may keep a shared thread while other work waits for it

P = TypeVar("P", bound=Producer)
T = TypeVar("T")


class Body(Report):
    """The base class of both forms.

    Attributes:
        status: the status code; final after start.
        headers: pairs of name and value; final after start.
        interruption: ends the stream; a server side sets its `callback`.
        file: the open file that the whole body is, where a server may send it by itself.
        length: how many bytes the stream must have, as its head says; None if it says nothing. It is final after start,
            unless a framework changes the head, and then calls `hold_to`.
    """

    __slots__ = (
        "__weakref__",  # for the registry
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
        self.interruption: Interruption = Interruption()
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

    @property
    def waits(self) -> bool:
        """The name of `is_streaming` before this version."""
        return self.is_streaming

    @property
    def is_inert(self) -> bool:
        """The name of `is_noop` before this version."""
        return self.is_noop

    def hold_to(self, headers: Pairs) -> None:
        """Hold the body to the Content-Length of the head that is sent, which a framework may have changed.

        Call it after `start()`, and before the head is sent and the body is iterated.

        Args:
            headers: of the head, checked.

        Raises:
            ContentLengthError: the length of the body is known, and it is another one.
        """
        promised, length = content_length(headers), self._known_length()
        if None not in {promised, length} and promised != length:
            raise ContentLengthError(promised or 0, length or 0, complete=True)
        self.length = promised

    def _known_length(self) -> int | None:
        """Return the length of the body, if it is known by now; an answer to HEAD has that of another body."""
        if self.file is not None:
            return self.file.size
        is_answer_to_head = self._request is None or self._request.method == "HEAD"
        if not self._complete_body and is_answer_to_head:
            return None
        return None if self._complete_body is None else len(self._complete_body)

    def read_ahead(self, size: int) -> None:
        """Take so many bytes of the source before they are sent, in place of `high_water`; call it in the source."""
        self._buffer.high_water = size

    def is_held(self) -> bool:
        """Return True while the source waits for the client to receive what is ready."""
        return self._buffer.is_full()

    @property
    def client(self) -> tuple[str, int] | None:
        """The address of the client's connection, if an ASGI server names it."""
        return None if self._request is None else self._request.peer

    @property
    def ends_by_close(self) -> bool:
        """Whether the body is a stream that only the close of its connection ends: HTTP/1.0, and no Content-Length."""
        return self.is_streaming and self.length is None and self._request is not None and self._request.is_http_1_0

    def _note_first(self) -> None:
        """Note the time of the first item, if there is one yet."""
        if self._buffer.count:
            self._first_at = time.monotonic()

    def _commit(self) -> bytes:
        """Make the headers final and return the prefix of the format."""
        format = self._flow.encoder.settle()
        if self._flow.head_of is not None:
            self.status, self.headers = self._flow.head_of(format)
            self._flow.head_of = None
        if self._complete_body is None:
            if self._flow.keeps_length:
                self.length = content_length(self.headers)
            return format.prefix
        if self._complete_body:
            set_default(self.headers, "Content-Length", str(len(self._complete_body)))
        return self._complete_body

    def _use_result(self, content: object) -> None:
        """Use the result of an awaitable as the source."""
        self._use_source(Source(content), self._hooks)
        if self._source.kind is Kind.ONE:
            self._complete_body = self._flow.encoder.encode_whole(content)
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
            error.index = self._buffer.count  # all chunks before it have been taken, so this is its number
        raise raisable(error)

    def _pipe(self, waker: Waker) -> Pipe:
        return Pipe(self._source, self._flow.encoder, self._buffer, waker, self._context)

    def producer(self, kind: type[P]) -> P:
        """Return the running producer, for a source that also pushes chunks.

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
        on_exit = self._hooks.on_thread_exit
        release = worker.release if on_exit is None else partial(_leave, on_exit, worker.release, self._name)
        return ThreadProducer(pipe, submit=worker.submit, release=release, slice_seconds=None)

    def _respond_without_content(self) -> None:
        """Change the response to 204: the client already has the whole stream."""
        self.status, self._complete_body = 204, b""
        self.headers = without_fields(self.headers, {"content-length", "content-type"})

    @property
    def _only_begins(self) -> bool:
        """Whether the stream, which has begun, is to be closed now: HEAD asks for the status of GET alone."""
        return self._flow.only_begins and self.is_streaming

    def _respond_without_body(self) -> None:
        """Leave the stream unsent; its head stays as it is."""
        self._reason, self._complete_body = "not_started", b""

    def _respond_without_client(self) -> None:
        """Change the response to 499: the client disconnected before the first item, a framework still needs one."""
        self.status, self.headers, self._complete_body = CLIENT_CLOSED_REQUEST, [], b""
        self.log_disconnect()


def _nothing() -> None:
    pass


def _leave(on_thread_exit: Callable[[], object], release: Callable[[], object], stream: str) -> None:
    try:
        on_thread_exit()
    except Exception as error:  # noqa: BLE001  # the framework's; the thread goes on to the next stream
        log_stream(
            logging.ERROR,
            stream,
            "Hooks.on_thread_exit failed",
            "the thread is reused",
            error=error,
        )
    finally:
        release()


def raisable(error: BaseException) -> BaseException:
    """Return an error to raise in the server's task: a source's own cancellation must not look like the server's."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        wrapped = RuntimeError(f"the source raised {type(error).__name__}")
        wrapped.__cause__ = error
        return wrapped
    return error


async def result_of(awaitable: Awaitable[T]) -> T:
    """Await `awaitable` in a coroutine."""
    return await awaitable
