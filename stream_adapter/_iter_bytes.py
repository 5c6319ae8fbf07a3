"""The normalizer alone: `iter_bytes` and `aiter_bytes` turn any source into chunks of bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from ._body import AsyncBody, SyncBody
from ._limits import Limits
from ._resolved import Resolved
from ._response import Response
from .formats._base import ChunkFormat
from .types import Source

__all__ = ["AsyncBytes", "aiter_bytes", "iter_bytes"]

_CHUNKS = ChunkFormat()
_LIMITS = Limits()


class _QuietSync(SyncBody):
    """A body that is not sent to a client: its caller handles errors, so they are not logged."""

    __slots__ = ()

    def _fail(self, error: BaseException) -> bytes:
        self._note(error)
        return b""


class _QuietAsync(AsyncBody):
    __slots__ = ()

    def _fail(self, error: BaseException) -> bytes:
        self._note(error)
        return b""


class _Bytes(Iterator[bytes]):
    def __init__(self, body: SyncBody) -> None:
        self._body = body
        self._blocks: Iterator[bytes] | None = None

    def __next__(self) -> bytes:
        try:
            if self._blocks is None:
                self._blocks = iter(self._body)
            return next(self._blocks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._body.close()

    def __del__(self) -> None:
        self.close()  # the body is in a cycle, which is collected later, and in any thread


class AsyncBytes(AsyncIterator[bytes]):
    """The async iterator that `aiter_bytes` returns."""

    def __init__(self, body: AsyncBody) -> None:
        self._body = body
        self._blocks: AsyncGenerator[bytes] = aiter(body)

    async def __anext__(self) -> bytes:
        return await anext(self._blocks)

    async def aclose(self) -> None:
        """Close the source."""
        await self._blocks.aclose()
        await self._body.aclose()


def _resolve(source: Source, *, strict: bool, charset: str, limits: Limits) -> Resolved:  # its callers' keyword
    if isinstance(source, Response):
        return source.resolve()
    response = Response(source, strict=strict, charset=charset, limits=limits, format=_CHUNKS, flush="item")
    return response.resolve()


def iter_bytes(source: Source, *, strict: bool = False, charset: str = "utf-8", limits: Limits = _LIMITS) -> _Bytes:
    """Iterate any source as bytes, one block per chunk. It has `close()`, which closes the source.

    Args:
        source: whatever a Response takes as content, or a Response, whose body it yields. An async source runs on the
            library's event loop thread.
        strict: take bytes chunks only.
        charset: the encoding of text.
        limits: bounds and deadlines.

    Raises:
        ChunkEncodingError: (while iterating) a chunk cannot be sent; it is named by its number.
        StreamTimeoutError: (while iterating) a deadline passed.
        SourceError: the source cannot be streamed.
    """
    return _Bytes(_QuietSync(_resolve(source, strict=strict, charset=charset, limits=limits)))


def aiter_bytes(
    source: Source, *, strict: bool = False, charset: str = "utf-8", limits: Limits = _LIMITS
) -> AsyncBytes:
    """Iterate any source as bytes, one block per chunk, asynchronously. It has `aclose()`, which closes the source.

    Args:
        source: whatever a Response takes as content, or a Response, whose body it yields. A sync source has a thread.
        strict: as in `iter_bytes`, which raises the same errors.
        charset: the encoding of text.
        limits: bounds and deadlines.
    """
    return AsyncBytes(_QuietAsync(_resolve(source, strict=strict, charset=charset, limits=limits)))
