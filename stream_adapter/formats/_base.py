"""The base classes of formats and of their encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any

from stream_adapter._encode import BUILTIN_KINDS, ChunkTable, Encode, explain, utf8_function
from stream_adapter._request import RequestHead
from stream_adapter.errors import RunEndedError

from ._published import Ending, Published

__all__ = ["NO_BUFFERING", "PROBLEM", "Format", "FormatEncoder", "encoder_of", "problem_of"]

NO_BUFFERING: Mapping[str, str] = MappingProxyType({"X-Accel-Buffering": "no"})
"""nginx holds a response back until a buffer is full, unless this header turns that off."""

PROBLEM: Mapping[str, object] = MappingProxyType(
    {"type": "about:blank", "title": "Internal Server Error", "status": 500}
)
"""What a client reads of a failure: a generic problem (RFC 9457), and nothing of the exception."""


def problem_of(ending: Ending) -> dict[str, object]:
    """Return the problem that a client reads after a run has failed."""
    problem = {**PROBLEM, "run": ending.status}
    if ending.detail is not None:
        problem["detail"] = ending.detail
    return problem


class FormatEncoder:
    """The encoder of one stream: a table from an item's type to the function that encodes it, and the end.

    Args:
        format: what is being written; a first item may still decide it.
        table: how an item of each type becomes bytes.
    """

    __slots__ = ("format", "table")

    def __init__(self, format: Format, table: ChunkTable) -> None:
        self.format: Format = format
        self.table: ChunkTable = table

    def settle(self) -> Format:
        """Return the format that the headers announce; from here on it is final."""
        return self.format

    def expect_only(self, cls: type) -> None:
        """Expect a body of one `cls`, which is encoded next."""

    def encode_whole(self, item: Any) -> bytes:
        """Return the body of one item; None stands for no item.

        Raises:
            ChunkEncodingError: it cannot be encoded.
        """
        self.expect_only(item.__class__)
        chunk = b"" if item is None else self.encode_first(item)
        return self.settle().prefix + chunk + self.finish()

    def encode_first(self, item: Any) -> bytes:
        """Encode the first item of a stream, outside the hot loops."""
        try:
            return self.table[type(item)](item)
        except Exception as error:  # noqa: BLE001  # it is raised, explained
            problem = self.explain(error, item, 0)
            raise problem from problem.__cause__

    def explain(self, error: BaseException, item: object, index: int | None = None) -> BaseException:
        """Return an error that names the item and the reason; what raised first is its cause."""
        return error if isinstance(error, RunEndedError) else explain(error, item, index)

    def encode_error(self, record: object) -> bytes:
        """Encode what `on_error` returned, as an item that tells a reader that the stream failed."""
        item = self.format.error_item(record)
        return self.table[type(item)](item)

    def finish(self) -> bytes:
        """Return what follows the last item of a stream that is complete."""
        return self.table.finish() + self.format.suffix


class Format:
    """The way in which items become a body. Subclass it, set `media_type`, and write `encode`.

    Attributes:
        media_type: the Content-Type; text types get the response's charset.
        headers: further headers, which a header of the response's own replaces.
        prefix: sent before the first item, at commit.
        separator: sent between two items.
        suffix: sent after the last item of a complete stream, never after an error.
        bulk: whether a block may be filled before it is sent.
        keepalive: seconds of silence after which `keepalive_frame` is sent; None for never.
        keepalive_frame: bytes that mean nothing, and may stand between two items.
        commit_after: seconds to wait for the first item before status and headers go out; None waits for it.
        send_timeout: seconds that a client may take nothing, where the response was given no limits.
    """

    media_type: str = "application/octet-stream"
    headers: Mapping[str, str] = MappingProxyType({})
    prefix: bytes = b""
    separator: bytes = b""
    suffix: bytes = b""
    bulk: bool = False
    keepalive: float | None = None
    keepalive_frame: bytes = b""
    commit_after: float | None = None
    send_timeout: float | None = 60.0

    def encode(self, item: Any) -> bytes:
        """Turn one item into bytes.

        Raises:
            ChunkEncodingError: the format cannot carry it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define encode(item) -> bytes")

    def is_over(self, head: RequestHead) -> bool:
        """Return True if the client already has the end of the stream: it is answered 204 without its source."""
        del head
        return False

    def error_item(self, record: Any) -> object:
        """Make an item of what `on_error` returned; it tells a reader that the stream failed."""
        return record

    def error_record(self) -> bytes | None:
        """Return what tells a reader, in the stream, that it failed; None where the format has no such thing."""
        return None

    def encode_ending(self, ending: Ending) -> bytes:
        """Say how a run ended, if the format's own end does not.

        Raises:
            RunEndedError: it failed, and the format has no words for it: only a broken connection says so.
        """
        if ending.is_failure:
            raise RunEndedError(ending.status)
        return b""

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream."""
        del strict, charset  # a format that frames its items says itself how they are written
        return encoder_of(self, self.encode)

    @property
    def frames(self) -> bool:
        """Return True if it encodes items itself, rather than chunks by the chunk table."""
        return True


def encoder_of(format: Format, encode: Encode, encode_published: Encode | None = None) -> FormatEncoder:
    """Make the encoder of a stream whose items are encoded by one function.

    Args:
        format: what is being written.
        encode: encodes an item, whatever it is.
        encode_published: encodes the items of a broker; None: as any other.
    """
    published = encode if encode_published is None else encode_published
    ending: Encode = format.encode_ending
    if format.separator:
        leads = chain((b"",), repeat(format.separator))
        encode, published, ending = (_separated(function, leads) for function in (encode, published, ending))

    def function_of(cls: type) -> Encode:
        return published if issubclass(cls, Published) else ending if issubclass(cls, Ending) else encode

    return FormatEncoder(format, ChunkTable(function_of))


def _separated(encode: Encode, leads: Iterator[bytes]) -> Encode:
    def encode_next(item: Any) -> bytes:
        encoded = encode(item)
        return next(leads) + encoded if encoded else b""  # an opening of a broker's stream may be empty

    return encode_next


class ChunkFormat(Format):
    """Chunks by the chunk table, unframed: the body is their bytes one after the other."""

    def encode(self, item: Any) -> bytes:
        """Encode one chunk in UTF-8."""
        return ChunkTable.of_chunks(strict=False, charset="utf-8")[type(item)](item)

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream; a multi-byte charset keeps its state in it."""
        if strict:
            return FormatEncoder(self, ChunkTable.of_chunks(strict=True, charset=charset))
        if charset == "utf-8":
            return FormatEncoder(self, ChunkTable(partial(self._function_of, utf8_function)))
        chunks = ChunkTable.of_chunks(strict=False, charset=charset)
        return FormatEncoder(self, ChunkTable(partial(self._function_of, chunks.__getitem__), chunks.finish))

    def _function_of(self, chunk_function: Callable[[type], Encode], cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded: as a chunk, unless it is one of a broker's."""
        if cls in BUILTIN_KINDS:
            return chunk_function(cls)
        if issubclass(cls, Published):
            text = chunk_function(str)
            return lambda item: text(item.chunk())
        return self.encode_ending if issubclass(cls, Ending) else chunk_function(cls)

    @property
    def frames(self) -> bool:
        """Return False: chunks go by the chunk table."""
        return False
