"""The end of a stream: its reason, the exception to raise, the log record, and the summary for `on_close`."""

from __future__ import annotations

import logging
import time
from typing import Any

from stream_adapter._limits import StreamSummary
from stream_adapter._log import describe_stream, expect_reports, is_first_report, log_close_failure, log_stream
from stream_adapter._pump import BLOCKING_REMEDY, Buffer, Interruption, StepContext
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Flow
from stream_adapter._source import Source
from stream_adapter.errors import (
    ChunkEncodingError,
    ClientDisconnected,
    RunEndedError,
    StreamAborted,
    StreamTimeoutError,
    disconnect_error,
)
from stream_adapter.types import Reason

from .hooks import Hooks

__all__ = ["CLOSING", "Report"]

CLOSING = "closing the connection"


class Report:
    """The base class of `Body` that ends it and reports. `Body` sets the attributes."""

    __slots__ = ("_error", "_reason")

    _buffer: Buffer
    _context: StepContext
    _done: bool
    _error: BaseException | None
    _first_at: float | None
    _flow: Flow
    _hooks: Hooks
    _reason: Reason | None
    _request: RequestHead | None
    _source: Source
    _started: bool
    _started_at: float
    _bytes: int
    interruption: Interruption
    length: int | None

    def ending(self) -> Exception:
        """Return the exception to raise after the stream was ended, by its reason."""
        if self._reason == "total_timeout":
            return StreamTimeoutError(self._reason, self._flow.limits.total_timeout or 0)
        connection = self._hooks.connection
        breaks = connection is not None and connection.can_abort
        if breaks or self._reason in {None, "disconnect", "send_timeout"}:  # for every sender, that is a disconnect
            return disconnect_error(None if connection is None else connection.disconnect_error)
        return StreamAborted(self._reason or "disconnect")

    @property
    def send_timeout(self) -> float | None:
        """Seconds for which the client may receive nothing; final after start."""
        return self._flow.send_timeout

    @property
    def seconds_left(self) -> float | None:
        """Seconds from now until `total_timeout`; None without one."""
        total = self._flow.limits.total_timeout
        return None if total is None else self._started_at + total - time.monotonic()

    @property
    def ended_by_client(self) -> bool:
        """Whether the client ended the stream, or the source did."""
        return self._reason in {None, "disconnect"}

    def _end_for(self, reason: Reason) -> None:
        """Note and log why the stream is ended."""
        self._reason = reason
        self._log_end()

    def _log_end(self) -> None:
        """Log why the stream was ended, if it was a deadline."""
        if self._reason == "send_timeout":
            self._log(logging.INFO, f"the client took nothing for {self.send_timeout or 0:g} s", CLOSING)
        elif self._reason == "total_timeout":
            self._log(logging.WARNING, f"ended by {self.ending()}", CLOSING)

    def _interrupted(self) -> Exception:
        """Return the exception to raise after an interruption, and record its reason."""
        self._reason = self._reason or self.interruption.reason
        return self.ending()

    def _note(self, error: BaseException) -> None:
        """Note the exception that ended the stream, unless it was ended from outside."""
        if isinstance(error, ChunkEncodingError) and error.__suppress_context__:
            _keep_cause_only(error)
        if self._reason is None:
            self._error = error
            self._reason = error.reason if isinstance(error, StreamTimeoutError) else "error"

    def _fail(self, error: BaseException) -> bytes:
        """Note and log the exception that ended a stream after commit; return the record for the client, or nothing."""
        if self._reason is None and isinstance(error, ClientDisconnected):
            self._reason = "disconnect"  # a stream within this one noticed it first
        if self._reason is not None:  # it was ended from outside, and nothing failed
            return b""
        self._note(error)
        self._log_failure(error, self._progress)
        try:
            record = None if self._flow.on_error is None else self._flow.on_error(error)
            if self.length is not None:
                return b""  # it would count towards the Content-Length
            if record is not None:
                return self._flow.encoder.encode_error(record)
        except Exception as failure:  # noqa: BLE001  # the caller's code; the stream's own failure is raised
            self._log(logging.ERROR, "on_error failed", CLOSING, failure)
        return b"" if self.length is not None else self._flow.encoder.format.error_record() or b""

    def expect_reports(self) -> None:
        """Do not log a failure that a stream within this one has logged: the source is an application."""
        self._context.run(expect_reports)

    def report_failure(self, error: BaseException) -> None:
        """Note and log a failure while the server sends the body by itself."""
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
        elif isinstance(error, RunEndedError):  # its producer has logged the failure
            log_stream(logging.DEBUG, self._name, str(error), CLOSING, progress=progress)
        elif is_first_report(error, self._context):
            happened = "failed after the response started"
            log_stream(logging.ERROR, self._name, happened, CLOSING, progress=progress, error=error)

    def log_disconnect(self) -> None:
        """Log the disconnect, which is not an error."""
        self._log(logging.DEBUG, "the client disconnected", "nothing more is sent")

    def log_receive_failure(self, error: Exception) -> None:
        """Log that the server's `receive` raised, which counts as a disconnect."""
        self._log(logging.DEBUG, "receive failed", "it counts as a disconnect", error)

    def _log_report_failure(self, error: Exception) -> None:
        self._log(logging.ERROR, "on_close failed", f"the stream has ended ({self._summary().reason})", error)

    def log_blocking(self, where: str) -> None:
        """Log that an async source blocks its event loop, and the remedy."""
        self._log(logging.WARNING, f"the source blocks the event loop, at {where}", BLOCKING_REMEDY)

    def log_close_failure(self, error: BaseException) -> None:
        """Log the exception that closing the source raised: nothing else handles it."""
        log_close_failure(self._name, error, self._progress)


def _keep_cause_only(error: ChunkEncodingError) -> None:
    """Drop the codecs' earlier attempts: BaseHTTPMiddleware shows a context although it is suppressed."""
    error.__context__ = error.__cause__
    if error.__cause__ is not None:
        error.__cause__.__suppress_context__ = True
