"""Compression in place of Django's `GZipMiddleware` and `gzip_page`: one member for a stream, and no chunk is held.

Before Django 6 its compressor makes each chunk of an async response a gzip member of its own, and clients read the
first only; and of a sync response it holds small chunks back. So where a middleware puts Django's compressor around a
stream, this one takes its place: the middleware decides whether to compress, and sets the headers, as for any other
response.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["acompressed", "compressed", "refuse_members", "refuse_members_async"]

_HEADER = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # deflate, with a file name, of no time and no system
_FILENAME_BYTES = 100  # Django's: a name of random length hides the length of what is compressed (BREACH)


class _Member:
    """A gzip member (RFC 1952) that gives out all that it was given."""

    def __init__(self) -> None:
        filename = b"a" * secrets.randbelow(_FILENAME_BYTES)
        self._header = _HEADER + filename + b"\0"
        self._deflate = zlib.compressobj(level=6, wbits=-zlib.MAX_WBITS)
        self._checksum = self._size = 0

    def add(self, block: bytes) -> bytes:
        self._checksum = zlib.crc32(block, self._checksum)
        self._size += len(block)
        return self._begin() + self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._begin() + self._deflate.flush() + struct.pack("<LL", self._checksum, self._size & 0xFFFFFFFF)

    def _begin(self) -> bytes:
        header, self._header = self._header, b""
        return header


def compressed(blocks: Iterator[bytes], is_bodiless: Callable[[], bool]) -> Iterator[bytes]:
    """Compress blocks, each before the next is asked for.

    Args:
        blocks: the body.
        is_bodiless: returns True if the response is without a body; called when there was not one block.
    """
    member, empty = _Member(), True
    for block in blocks:
        if block:
            empty = False
            yield member.add(block)
    if not (empty and is_bodiless()):
        yield member.end()


async def acompressed(blocks: AsyncIterator[bytes], is_bodiless: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Compress blocks on an event loop; the arguments are those of `compressed`."""
    member, empty = _Member(), True
    async for block in blocks:
        if block:
            empty = False
            yield member.add(block)
    if not (empty and is_bodiless()):
        yield member.end()


class _Members:
    """Notices that another's compressor makes a member of each chunk: its second begins as its first does."""

    def __init__(self) -> None:
        self._first = b""
        self._seen = 0

    def check(self, block: bytes) -> None:
        self._seen += 1
        if self._seen == 1:
            self._first = block[:10]  # the fixed part of a member's header
        elif self._seen == 2 and len(self._first) == 10 and block[:10] == self._first and block[:3] == b"\x1f\x8b\x08":
            raise RuntimeError(
                "Content-Encoding: a middleware makes a gzip member of each chunk of this response, and clients read"
                " the first only; use Django's GZipMiddleware, or leave the view out with a Content-Encoding of its own"
            )


def refuse_members(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on what another's compressor made, unless clients would lose all but its first chunk.

    Raises:
        RuntimeError: they would.
    """
    members = _Members()
    for block in blocks:
        members.check(block)
        yield block


async def refuse_members_async(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass it on, on an event loop; as `refuse_members`."""
    members = _Members()
    async for block in blocks:
        members.check(block)
        yield block
