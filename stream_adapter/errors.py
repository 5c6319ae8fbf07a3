"""What can go wrong, and whose doing it is.

    StreamAdapterError
    ├── SourceError           (TypeError)      the content is nothing that can be streamed
    ├── ChunkEncodingError    (TypeError)      a chunk is of a type, or holds a value, that cannot be sent
    │   ├── ChunkValueError   (ValueError)     … its type is fine, its value is not
    │   └── StrictEncodingError                … it is not bytes, and strict mode takes nothing else
    ├── StreamConsumedError   (RuntimeError)   a one-shot source was asked for a second time
    ├── StreamTimeoutError    (TimeoutError)   a deadline of Limits passed
    ├── CapacityError         (RuntimeError)   no thread is left for another sync source: 503
    └── UnsupportedError      (RuntimeError)   the server cannot run this kind of source

Each is also the builtin in brackets, so an `except TypeError` that stands in an application already goes on working.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "CapacityError",
    "ChunkEncodingError",
    "ChunkValueError",
    "SourceError",
    "StreamAdapterError",
    "StreamConsumedError",
    "StreamTimeoutError",
    "StrictEncodingError",
    "UnsupportedError",
]


class StreamAdapterError(Exception):
    """The root: everything this library raises on its own account."""


class SourceError(StreamAdapterError, TypeError):
    """The content given to a response is nothing that can be streamed."""


class ChunkEncodingError(StreamAdapterError, TypeError):
    """A chunk cannot become bytes.

    Attributes:
        index: which chunk of the stream it was, counted from 0; None outside a stream.
    """

    def __init__(self, problem: str, *, index: int | None = None) -> None:
        super().__init__(problem)
        self.index = index

    def __str__(self) -> str:
        problem = super().__str__()
        return problem if self.index is None else f"chunk {self.index}: {problem}"


class ChunkValueError(ChunkEncodingError, ValueError):
    """A chunk of an accepted type holds a value that cannot be sent: NaN, a lone surrogate."""


class StrictEncodingError(ChunkEncodingError):
    """A chunk is not bytes, and `strict=True` takes nothing else."""


class StreamConsumedError(StreamAdapterError, RuntimeError):
    """A source that can be read once was asked for a second time."""


class StreamTimeoutError(StreamAdapterError, TimeoutError):
    """A deadline passed.

    Attributes:
        reason: the name of the deadline, as in `StreamSummary.reason`.
    """

    def __init__(self, reason: Literal["idle_timeout", "total_timeout", "send_timeout"], seconds: float) -> None:
        super().__init__(f"{reason}: {seconds:g} s passed")
        self.reason: Literal["idle_timeout", "total_timeout", "send_timeout"] = reason


class CapacityError(StreamAdapterError, RuntimeError):
    """No thread is left for another sync source; answer 503 (RFC 9110, 15.6.4).

    Attributes:
        retry_after: seconds, for the Retry-After field.
    """

    retry_after = 1


class UnsupportedError(StreamAdapterError, RuntimeError):
    """The server runs its applications in a way in which this kind of source cannot be streamed."""
