"""One request, and what arrived when. The only part that does I/O."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

__all__ = ["Probe", "Read", "ask"]

_MOST_BYTES = 4 * 2**20  # enough to see how it comes; a download is not fetched whole


@dataclass(frozen=True, slots=True)
class Read:
    """Bytes that arrived together.

    Attributes:
        at: seconds since the request was sent.
        data: as they came, without the framing of HTTP, with the content coding.
    """

    at: float
    data: bytes


@dataclass(slots=True)
class Probe:
    """A request, and what came back.

    Attributes:
        method: GET or HEAD.
        sent: the request's headers of interest.
        status: None if no status line came.
        version: HTTP/1.1, HTTP/2.
        headers: the response's.
        headers_at: seconds from the request to them.
        reads: of the body.
        ended_at: seconds from the request to the end of the body; None if it was still open when we left.
        error: what broke the connection, or kept it from being made.
    """

    method: str
    sent: Mapping[str, str]
    status: int | None = None
    version: str = ""
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    headers_at: float | None = None
    reads: list[Read] = field(default_factory=list[Read])
    ended_at: float | None = None
    error: str | None = None

    @property
    def body(self) -> bytes:
        """All that came of the body."""
        return b"".join(read.data for read in self.reads)

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        content_type: str = self.headers.get("content-type", "")
        return content_type.partition(";")[0].strip().lower()

    @property
    def coding(self) -> str:
        """The Content-Encoding; nothing if there is none."""
        coding: str = self.headers.get("content-encoding", "")
        return coding.strip().lower().removeprefix("identity")


async def ask(client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], *, seconds: float) -> Probe:
    """Send one request and listen.

    Args:
        client: without a timeout of its own.
        method: GET or HEAD.
        url: the endpoint.
        headers: of the request.
        seconds: how long to listen, at most.
    """
    probe = Probe(method, headers)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(seconds), client.stream(method, url, headers=dict(headers)) as response:
            probe.headers_at = time.monotonic() - begun
            probe.status, probe.headers, probe.version = response.status_code, response.headers, response.http_version
            size = 0
            async for data in response.aiter_raw():
                probe.reads.append(Read(time.monotonic() - begun, data))
                size += len(data)
                if size >= _MOST_BYTES:
                    return probe
            probe.ended_at = time.monotonic() - begun
    except TimeoutError:
        pass  # still open: what came so far is what there is to judge
    except httpx.HTTPError as error:
        probe.error = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return probe
