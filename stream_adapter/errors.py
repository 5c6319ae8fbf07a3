"""The errors, as a tree.

::

    StreamAdapterError
    ├── SourceError           (TypeError)      the content cannot be streamed
    ├── ChunkEncodingError    (TypeError)      a chunk is of a type, or holds a value, that cannot be sent
    │   ├── ChunkValueError   (ValueError)     … its type is fine, its value is not
    │   └── StrictEncodingError                … it is not bytes, and strict mode takes nothing else
    ├── StreamConsumedError   (RuntimeError)   a one-shot source was asked for a second time
    ├── StreamTimeoutError    (TimeoutError)   a deadline of Limits passed
    ├── UnsupportedError      (RuntimeError)   the server cannot run this kind of source
    ├── ContentLengthError    (RuntimeError)   a stream is not as long as its Content-Length says
    ├── FileChangedError      (OSError)        a file is no longer the one that was promised
    ├── BrokerError                            a broker cannot do what it was asked
    │   ├── BrokerUnavailableError (ConnectionError)   … its engine cannot be reached: 503 where a stream begins
    │   ├── PublishTimeoutError    (TimeoutError)      … no answer came in time; the event may be stored or not
    │   ├── RunConflictError                   … a run of that key is there, and `if_running` is "reject": 409
    │   └── FencedError                        … another producer has taken this one's place, or its run has ended
    └── RefusalError                           there is nothing to stream; the answer is a status of its own
        ├── CapacityError     (RuntimeError)   no thread is left for another sync source: 503
        ├── NotFoundError     (FileNotFoundError)   the file does not exist, or may not be sent: 404
        └── GoneError         (LookupError)    the events after the client's cursor are no longer stored: 410

Each is also the builtin in brackets, so that an `except TypeError` in an application also handles it.

Two more are not failures: an application that still sends gets them after its stream has ended.

    ClientDisconnected        (ConnectionResetError)     the client closed the connection
    StreamAborted             (ConnectionAbortedError)   the stream was ended: by a deadline, or by a drain
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from .types import Reason

__all__ = [
    "BrokerError",
    "BrokerUnavailableError",
    "CapacityError",
    "ChunkEncodingError",
    "ChunkValueError",
    "ClientDisconnected",
    "ContentLengthError",
    "FencedError",
    "FileChangedError",
    "GoneError",
    "NotFoundError",
    "PublishTimeoutError",
    "RefusalError",
    "RunConflictError",
    "SourceError",
    "StreamAborted",
    "StreamAdapterError",
    "StreamConsumedError",
    "StreamTimeoutError",
    "StrictEncodingError",
    "UnsupportedError",
]


class StreamAdapterError(Exception):
    """The root: everything this library raises on its own account."""


class SourceError(StreamAdapterError, TypeError):
    """The content given to a response cannot be streamed."""


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
    """A source that can be read once was already consumed."""


class StreamTimeoutError(StreamAdapterError, TimeoutError):
    """A deadline passed.

    Attributes:
        reason: the name of the deadline, as in `StreamSummary.reason`.
    """

    def __init__(self, reason: Literal["idle_timeout", "total_timeout", "send_timeout"], seconds: float) -> None:
        super().__init__(f"{reason}: {seconds:g} s passed")
        self.reason: Literal["idle_timeout", "total_timeout", "send_timeout"] = reason


class RefusalError(StreamAdapterError):
    """There is nothing to stream, and a status of its own says why.

    Subclass it for a refusal of your own: raised before the first item, it is answered by its status and headers, in
    every integration and without one.

    Attributes:
        status_code: what the request is answered with, 200 to 599.
        headers: fields that go with it.
    """

    status_code: int = 500
    headers: Mapping[str, str] = MappingProxyType({})


class CapacityError(RefusalError, RuntimeError):
    """No thread is left for another sync source: 503 (RFC 9110, 15.6.4).

    Attributes:
        retry_after: seconds, for the Retry-After field.
    """

    status_code: int = 503
    retry_after = 1
    headers: Mapping[str, str] = MappingProxyType({"Retry-After": str(retry_after)})


class NotFoundError(RefusalError, FileNotFoundError):
    """The file does not exist, or may not be sent: 404 (RFC 9110, 15.5.5)."""

    status_code: int = 404


class ContentLengthError(StreamAdapterError, RuntimeError):
    """A stream is shorter or longer than the Content-Length that was sent with it: its connection must break.

    A client would take the next response for the rest of a shorter one (RFC 9112, 6.3).
    """

    def __init__(self, promised: int, length: int, *, complete: bool) -> None:
        least = "" if complete else "at least "
        super().__init__(f"Content-Length: expected a body of {promised} bytes, got {least}{length}")


class FileChangedError(StreamAdapterError, OSError):
    """A file is no longer the one whose size and tag were sent, so the rest of it is not."""


class UnsupportedError(StreamAdapterError, RuntimeError):
    """The server runs its applications in a way in which this kind of source cannot be streamed."""


class GoneError(RefusalError, LookupError):
    """The events that follow the client's cursor are no longer stored, and `on_gap` is "gone": 410 (RFC 9110)."""

    status_code: int = 410


class BrokerError(StreamAdapterError):
    """A broker cannot do what it was asked; the root of its errors."""


class BrokerUnavailableError(BrokerError, RefusalError, ConnectionError):
    """The engine cannot be reached, or the broker is closed. A subscription that cannot begin is answered 503."""

    status_code: int = 503
    headers: Mapping[str, str] = MappingProxyType({"Retry-After": "1"})


class PublishTimeoutError(BrokerError, TimeoutError):
    """The engine did not answer within `publish_timeout`.

    The event may be stored or not. With a `key` it can be published again, and is stored once.
    """


class RunConflictError(BrokerError, RefusalError):
    """A run of that key is there already, and `if_running` is "reject": 409 (RFC 9110, 15.5.10)."""

    status_code: int = 409


class FencedError(BrokerError):
    """The run of this token has ended, or another producer has taken its place: nothing more of it is stored."""


class ClientDisconnected(ConnectionResetError):  # noqa: N818  # control flow, not an error
    """The client closed the connection. Servers recognize this errno and log nothing."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client disconnected")


class StreamAborted(ConnectionAbortedError):  # noqa: N818  # control flow, not an error
    """The stream was ended: its connection must break, because a regular end would mark it as complete."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(errno.ECONNABORTED, f"the stream was ended: {reason}")


class RunEndedError(StreamAborted):
    """A run has failed, was cancelled or lost, and its stream has no words for it: the connection must break."""

    def __init__(self, status: str) -> None:
        ConnectionAbortedError.__init__(self, errno.ECONNABORTED, f"the run has ended: {status}")


class BodyNotWanted(ClientDisconnected):
    """The response is complete without a body. For an application that sends one, this is a disconnect."""

    def __str__(self) -> str:
        return "the body is not wanted: the response to a HEAD request, and one of status 1xx, 204 or 304, has none"


class ShuttingDown(RefusalError):  # noqa: N818  # named after its response
    """The process is drained, and the stream had no item yet: 503, so that the client retries elsewhere."""

    status_code = 503
    headers: Mapping[str, str] = MappingProxyType({"Retry-After": "1"})

    def __init__(self) -> None:
        super().__init__("the process shuts down")


_combined: dict[type[Exception], type[ClientDisconnected]] = {}


def disconnect_error(servers: type[Exception] | None) -> ClientDisconnected:
    """Return what to raise after a disconnect: an instance of the server's own exception for it, too."""
    if servers is None:
        return ClientDisconnected()
    if servers not in _combined:
        namespace = {"__module__": ClientDisconnected.__module__}
        _combined[servers] = type(ClientDisconnected.__name__, (ClientDisconnected, servers), namespace)
    return _combined[servers]()


def follows_from_the_end(error: BaseException) -> bool:
    """Return True if an application raised it because its `send` or `write` reported that the stream is over."""
    return any(isinstance(link, (ClientDisconnected, StreamAborted, StreamTimeoutError)) for link in chain_of(error))


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it, each once: an exception can be its own cause."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        yield link
        link = link.__cause__ or link.__context__
