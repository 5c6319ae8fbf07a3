"""One request, and what arrived when. Plain values: `client` fills them, the other modules read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_adapter._media_types import without_parameters

from .events import EventStream, parse

__all__ = ["MOST_BYTES", "Probe", "Read", "Recorder"]

MOST_BYTES = 4 << 20  # of a body: enough to see its timing, without fetching a whole download
_TOGETHER = 0.001  # seconds within which bytes count as one read
_MOST_READS = 20_000


@dataclass(frozen=True, slots=True)
class Read:
    """Bytes that arrived together.

    Attributes:
        at: seconds since the request was sent.
        data: without the framing of HTTP, with the content coding.
    """

    at: float
    data: bytes


class Recorder:
    """Collects reads in bounded memory and linear time, however small the pieces are that a server sends."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._data: list[bytearray] = []
        self.size = 0

    def add(self, at: float, data: bytes) -> bool:
        """Add bytes. Return True while more are wanted."""
        data = data[: MOST_BYTES - self.size]
        self.size += len(data)
        if self._times and (at - self._times[-1] < _TOGETHER or len(self._times) >= _MOST_READS):
            self._data[-1] += data
        else:
            self._times.append(at)
            self._data.append(bytearray(data))
        return self.size < MOST_BYTES

    def reads(self) -> list[Read]:
        """Return the collected reads."""
        return [Read(at, bytes(data)) for at, data in zip(self._times, self._data, strict=True)]


@dataclass(slots=True)
class Probe:
    """A request, and its response.

    Attributes:
        method: GET or HEAD.
        sent: the request's headers of interest.
        status: None if no status line came.
        version: HTTP/1.1, HTTP/2.
        headers: the response's, by names in lower case; the values of a repeated one are joined by commas.
        headers_at: seconds from the request to the headers.
        reads: of the body.
        ended_at: seconds from the request to the end of the body; None if it was still open at the end of the check.
        error: why the connection broke, or could not be made.
        redirects: the URLs that the request was redirected to.
        misdirected: why the last redirect was not followed; None if each was followed.
        begun_at: when the request was sent, by the monotonic clock.
    """

    method: str
    sent: Mapping[str, str]
    status: int | None = None
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    headers_at: float | None = None
    reads: list[Read] = field(default_factory=list[Read])
    ended_at: float | None = None
    error: str | None = None
    redirects: list[str] = field(default_factory=list[str])
    misdirected: str | None = None
    begun_at: float = 0.0
    _events: EventStream | None = field(default=None, repr=False, compare=False)

    @property
    def body(self) -> bytes:
        """The body, as far as it arrived."""
        return b"".join(read.data for read in self.reads)

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return without_parameters(self.headers.get("content-type", ""))

    @property
    def codings(self) -> list[str]:
        """The content codings in the order in which they were applied, `identity` left out."""
        field = self.headers.get("content-encoding", "").lower()
        return [name for part in field.split(",") if (name := part.strip()) not in {"", "identity"}]

    @property
    def coding(self) -> str:
        """The content codings as one text; empty if there are not any."""
        return ", ".join(self.codings)

    @property
    def events(self) -> EventStream:
        """The body as an event stream, which is parsed once."""
        if self._events is None:
            self._events = parse(self.body, ended=self.ended_at is not None)
        return self._events
