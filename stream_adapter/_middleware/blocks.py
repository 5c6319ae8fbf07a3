"""What is done to the blocks of a WSGI body on their way to the server."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator

from stream_adapter._body import SyncBody

from .compression import Codec

__all__ = ["Blocks", "compress", "gather"]

_PATIENCE = 0.05  # seconds that a chunk may wait for others


class Blocks:
    """The iterable that a server gets: a body, and what its blocks pass through.

    Args:
        body: closed with this.
        passed: iterates it.
    """

    def __init__(self, body: SyncBody, passed: Generator[bytes]) -> None:
        self._body = body
        self._passed = passed

    def __iter__(self) -> Iterator[bytes]:
        return self._passed

    def close(self) -> None:
        """Close the body."""
        try:
            self._passed.close()
        finally:
            self._body.close()


def gather(blocks: Iterable[bytes], size: int) -> Generator[bytes]:
    """Join blocks until they are `size` bytes, or a twentieth of a second has passed when the next one comes."""
    held, length, deadline = list[bytes](), 0, 0.0
    clock = time.monotonic
    for block in blocks:
        if not held:
            deadline = clock() + _PATIENCE
        held.append(block)
        length += len(block)
        if length >= size or clock() >= deadline:
            yield b"".join(held)
            held.clear()
            length = 0
    if held:
        yield b"".join(held)


def compress(blocks: Iterable[bytes], codec: Codec) -> Generator[bytes]:
    """Compress each block; nothing waits for the next one."""
    for block in blocks:
        yield codec.compress(block)
    yield codec.finish()
