"""The resolved response: what is sent for one request, between a Response and the server side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ._limits import Limits, StreamSummary
from ._request import RequestHead
from ._source import Kind, Source
from .formats import Format
from .formats._base import FormatEncoder
from .types import Chunk, Flush

__all__ = ["LARGE_BODY", "Flow", "OpenFile", "Resolvable", "Resolved", "Submit"]

LARGE_BODY = 65536  # bytes of a whole body for which a server may have to wait, so that its client is watched
Submit: TypeAlias = Callable[[Callable[[], object]], object]
"""Runs a job, which does not raise, in a thread."""


@dataclass(slots=True, eq=False, repr=False)  # not frozen, which takes six times as long to make, for each request
class Flow:
    """The options with which the items of a resolved response are sent.

    It is not changed once it is made, but for `head_of`, which is dropped, with all that it holds of the request, when
    the head is final.

    Attributes:
        limits: its bounds.
        default_limits: whether the limits are the defaults.
        head_of: gives status and headers once the first item has decided the format; None if they are final already.
        keeps_length: whether the stream is held to the Content-Length of its head.
        submit: runs the steps of a sync source that needs no thread of its own, one at a time; None: it needs one.
        only_begins: whether the source is asked for its beginning alone, which may be a refusal: HEAD has no body.
    """

    encoder: FormatEncoder
    limits: Limits
    flush: Flush = "auto"
    commit_after: float | None = None
    on_error: Callable[[BaseException], Chunk] | None = None
    on_close: Callable[[StreamSummary], object] | None = None
    head_of: Callable[[Format], tuple[int, list[tuple[str, str]]]] | None = None
    default_limits: bool = False
    keeps_length: bool = False
    submit: Submit | None = None
    only_begins: bool = False

    @property
    def send_timeout(self) -> float | None:
        """Seconds that the client may take nothing: with default limits, those of the format, once it is settled."""
        return self.encoder.format.send_timeout if self.default_limits else self.limits.send_timeout


class OpenFile(Protocol):
    """A file that is sent unchanged, from its first byte to its last.

    Attributes:
        path: a server may open the file again there, as long as `is_at_path`; None if it may not.
        size: its length in bytes.
    """

    @property
    def path(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    def fileno(self) -> int: ...
    def read(self, position: int, count: int) -> bytes: ...
    def has_changed(self) -> bool: ...
    def is_at_path(self) -> bool: ...


@dataclass(slots=True, eq=False, repr=False)  # not frozen, for the same reason
class Resolved:
    """What is sent for one request. It is not changed once it is made.

    Attributes:
        status: the status code.
        headers: pairs of name and value; if no format is named, without those that the first item decides.
        source: what the body is made of, taken: the holder of this value must close it.
        flow: how it is encoded, bounded and reported.
        body: the whole body, where it is known; None for a stream.
        file: the open file that the whole body is, where a server may send it by itself; the source closes it.
        request: what was asked, for the log; None if that is not known.
    """

    status: int
    headers: list[tuple[str, str]]
    source: Source
    flow: Flow
    body: bytes | None
    file: OpenFile | None = None
    request: RequestHead | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the body is known and small, and there is nothing to close or to report: it can just be sent."""
        return (
            self.body is not None
            and self.source.kind is Kind.ONE
            and self.flow.on_close is None
            and len(self.body) <= LARGE_BODY
        )


class Resolvable(Protocol):
    """The interface of a response that the server side uses."""

    def resolve(self, head: RequestHead = ..., *, text_media_type: str = ...) -> Resolved:
        """Return what is sent for one request."""
        ...

    async def aresolve(self, head: RequestHead = ..., *, text_media_type: str = ...) -> Resolved:
        """Return the same without blocking the loop."""
        ...
