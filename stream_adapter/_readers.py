"""Content that is read, not iterated: files, and responses of HTTP clients. Bytes are sent as they arrive.

A file's `read(n)` may wait until it has all of `n`, so that a pipe or a socket that trickles would be held back. Where
the file has a `read1`, which waits for the first byte alone, that is called. Text has none: a text file that cannot be
sought (a pipe) is read by lines, any other in blocks.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

__all__ = ["BLOCK", "Reading", "reading_of"]

BLOCK = 65536  # bytes read at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """How content is read.

    Attributes:
        is_async: whether `open` returns an async iterator.
        open: begins to read, where the content is iterated.
    """

    is_async: bool
    open: Callable[[], Any]


def reading_of(content: Any) -> Reading | None:
    """Return the Reading of a file or of an HTTP client's response; None for other content."""
    read = getattr(content, "read", None)
    if callable(read) and _takes_size(content, read):
        if _reads_async(content, read):
            return Reading(is_async=True, open=lambda: _aread_blocks(content))
        return Reading(is_async=False, open=lambda: _read_blocks(content))
    if callable(getattr(content, "iter_bytes", None)) and callable(getattr(content, "aiter_bytes", None)):  # httpx
        stream = getattr(content, "stream", None)
        is_async = hasattr(stream, "__aiter__") and not hasattr(stream, "__iter__")
        return Reading(is_async=is_async, open=content.aiter_bytes if is_async else content.iter_bytes)
    if callable(getattr(content, "iter_content", None)):  # requests, whose __iter__ has chunks of 128 bytes
        return Reading(is_async=False, open=lambda: _read_decoded(content))
    if callable(getattr(getattr(content, "content", None), "iter_any", None)):  # aiohttp
        return Reading(is_async=True, open=content.content.iter_any)
    return None


def _takes_size(content: Any, read: Callable[..., Any]) -> bool:
    """Return True if `read` takes a size. That of a response may read everything, and is not a file's."""
    if isinstance(content, io.IOBase):
        return True
    try:
        inspect.signature(read).bind(BLOCK)
    except TypeError:
        return False
    except ValueError:  # a builtin, whose signature is not known
        return True
    return True


def _reads_async(content: Any, read: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(read) or (hasattr(content, "__aiter__") and not hasattr(content, "__iter__"))


def _reads_what_is_there(content: Any) -> bool:
    """Return True if `read1` belongs to the object as `read` does: not to one that it wraps, nor to a base class."""
    bases = type(content).__mro__
    levels = [
        next((at for at, base in enumerate(bases) if name in vars(base)), len(bases)) for name in ("read1", "read")
    ]
    return callable(getattr(content, "read1", None)) and levels[0] <= levels[1]


def _is_text(content: Any) -> bool:
    if isinstance(content, (io.BufferedIOBase, io.RawIOBase)):
        return False
    mode = getattr(content, "mode", None)
    return isinstance(content, io.TextIOBase) or (isinstance(mode, str) and "b" not in mode)


def _read_blocks(content: Any) -> Iterator[Any]:
    read = content.read
    if not _is_text(content):
        read = content.read1 if _reads_what_is_there(content) else read
    elif isinstance(content, io.TextIOBase) and not content.seekable():
        read = content.readline
    while block := read(BLOCK):
        yield block


def _read_decoded(response: Any) -> Iterator[bytes]:
    """Read a response of requests, whose `iter_content` waits for whole blocks unless the body comes in chunks."""
    raw: Any = getattr(response, "raw", None)
    is_live = hasattr(raw, "read1") and hasattr(raw, "decode_content") and not raw.closed
    if not is_live:  # it was read already, or by a urllib3 without `read1`
        blocks: Iterator[bytes] = response.iter_content(BLOCK)
        return blocks
    return iter(partial(raw.read1, BLOCK, decode_content=True), b"")


async def _aread_blocks(content: Any) -> AsyncIterator[Any]:
    read = content.read
    if not _is_text(content):
        read = content.read1 if _reads_what_is_there(content) else read
    elif hasattr(content, "seekable") and not await _result_of(content.seekable()):
        while line := await content.readline():
            yield line
        return
    while block := await read(BLOCK):
        yield block


async def _result_of(result: Any) -> Any:
    """Return the result of a method, which is awaitable in aiofiles and is not in AnyIO."""
    return await result if inspect.isawaitable(result) else result
