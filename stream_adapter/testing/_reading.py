"""A response that is read chunk by chunk, each within a time, and a transcript of what arrived, for failures."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

from ._httpx import READ_TIMEOUT, TRANSPORT_ERROR, AnyResponse

__all__ = ["Reading", "anext_chunk", "next_chunk"]

_EXTENSION = "stream_adapter.reading"
_SHOWN = 8  # chunks that a transcript shows
_WIDTH = 72  # bytes that it shows per chunk


class Reading:
    """What has arrived of a response, and when.

    Attributes:
        response: only this reading reads its body.
        size: bytes that have arrived.
    """

    def __init__(self, response: AnyResponse) -> None:
        self.response = response
        self.size = 0
        self._began = time.monotonic()
        self._ended: float | None = None
        self._arrivals: list[tuple[float, bytes]] = []
        self._chunks: Iterator[bytes] | None = None
        self._achunks: AsyncIterator[bytes] | None = None

    @classmethod
    def of(cls, response: AnyResponse) -> Reading:
        """Return the one reading of a response, which continues where the last helper stopped."""
        reading: Reading = response.extensions.setdefault(_EXTENSION, cls(response))
        return reading

    def next(self, within: float, expected: str | None = None) -> bytes | None:
        """Return the next chunk, None at the end.

        Args:
            within: seconds within which it must arrive.
            expected: what the message says is expected.

        Raises:
            AssertionError: nothing arrived.
        """
        try:
            return self.poll(within)
        except TimeoutError:
            raise self.failure(expected or f"a chunk within {within:.3g} s", "nothing more came") from None

    async def anext(self, within: float, expected: str | None = None) -> bytes | None:
        """Return the next chunk, None at the end; see `next`."""
        try:
            return await self.apoll(within)
        except TimeoutError:
            raise self.failure(expected or f"a chunk within {within:.3g} s", "nothing more came") from None

    def poll(self, within: float) -> bytes | None:
        """Return the next chunk, None at the end; raise TimeoutError if nothing arrives, which ends the reading."""
        if self._chunks is None:
            self._chunks = self.response.iter_bytes()
        return self._note(_next_within(self.response, self._chunks, within))

    async def apoll(self, within: float) -> bytes | None:
        """Return the next chunk, None at the end; see `poll`."""
        if self._achunks is None:
            self._achunks = self.response.aiter_bytes()
        async with asyncio.timeout(within):
            return self._note(await anext(self._achunks, None))

    def failure(self, expected: str, got: str) -> AssertionError:
        """Return the error of a test: what was expected, what happened, and the transcript."""
        request = self.response.request
        path = request.url.raw_path.decode("ascii")
        return AssertionError(f"{request.method} {path}: expected {expected}, but {got}\n{self.transcript()}")

    def transcript(self) -> str:
        """Return what arrived, and when, in seconds since the headers."""
        response = self.response
        kind = response.headers.get("content-type", "no content-type")
        lines = [f"   0.000 s  {response.status_code} {response.reason_phrase}, {kind}"]
        shown = self._arrivals if len(self._arrivals) <= _SHOWN else self._arrivals[: _SHOWN - 1]
        lines += [f"{at:8.3f} s  {_excerpt(chunk)}" for at, chunk in shown]
        if len(shown) < len(self._arrivals):
            at, chunk = self._arrivals[-1]
            lines += [f"            … {len(self._arrivals) - len(shown) - 1} more …", f"{at:8.3f} s  {_excerpt(chunk)}"]
        now = time.monotonic() - self._began
        lines.append(f"{now:8.3f} s  now" if self._ended is None else f"{self._ended:8.3f} s  the end")
        return "\n".join(lines)

    def _note(self, chunk: bytes | None) -> bytes | None:
        at = time.monotonic() - self._began
        if chunk is not None:
            self.size += len(chunk)
            self._arrivals.append((at, chunk))
        elif self._ended is None:
            self._ended = at
        return chunk


def next_chunk(response: AnyResponse, *, within: float = 5.0) -> bytes:
    """Return the next chunk of a response that is being streamed.

    Args:
        response: of `client.stream`, a client of the kit or any other client of httpx2 or httpx.
        within: seconds within which it must arrive.

    Raises:
        AssertionError: nothing arrived, or the response ended. The message shows what arrived, and when.
    """
    reading = Reading.of(response)
    return _required(reading, reading.next(within))


async def anext_chunk(response: AnyResponse, *, within: float = 5.0) -> bytes:
    """Return the next chunk of a response that is being streamed by an async client; see `next_chunk`.

    Args:
        response: of `client.stream`.
        within: seconds within which it must arrive.

    Raises:
        AssertionError: nothing arrived, or the response ended. The message shows what arrived, and when.
    """
    reading = Reading.of(response)
    return _required(reading, await reading.anext(within))


def _required(reading: Reading, chunk: bytes | None) -> bytes:
    if chunk is None:
        raise reading.failure("a chunk", "the response ended")
    return chunk


def _excerpt(chunk: bytes) -> str:
    rest = "" if len(chunk) <= _WIDTH else "…"
    return f"{len(chunk)} bytes: {chunk[:_WIDTH]!r}{rest}"


def _next_within(response: AnyResponse, chunks: Iterator[bytes], within: float) -> bytes | None:
    """Return the next chunk, None at the end, or raise TimeoutError.

    The kit's transports use the read timeout of each read. httpcore uses that of the first read for all, so a real
    connection is shut down instead.
    """
    network = response.extensions.get("network_stream")
    if network is None:
        timeouts: dict[str, float | None] = response.request.extensions.setdefault("timeout", {})
        before, timeouts["read"] = timeouts.get("read"), within
        try:
            return next(chunks, None)
        except READ_TIMEOUT:
            raise TimeoutError from None
        finally:
            timeouts["read"] = before
    late = threading.Event()
    timer = threading.Timer(within, _cut, (network.get_extra_info("socket"), late))
    timer.start()
    chunk: bytes | None = None
    try:
        chunk = next(chunks, None)
    except TRANSPORT_ERROR:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
        timer.join()
    if late.is_set():
        raise TimeoutError
    return chunk


def _cut(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):  # the server was first
        connection.shutdown(socket.SHUT_RDWR)
