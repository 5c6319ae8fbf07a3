"""Content codings as a browser decodes them, in bounded memory. Pure.

A browser reads one gzip member (RFC 1952 allows several) and ignores the bytes after it; so do curl, httpx and fetch.
The decoded text is cut at a limit, because a small body can expand to a huge one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from .probe import Probe, Read

__all__ = ["Decoded", "decode", "offered"]

_MOST_BYTES = 16 << 20  # of decoded text
_MOST_CODINGS = 4  # applied one after the other
_WINDOW_LOG = 23  # 8 MiB that zstd may look back: no browser allows more (RFC 9659)
_ZSTANDARD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"  # PEP 784
_SLICE = 256  # bytes per call of a decoder that has no limit of output


class _Decoder(Protocol):
    """Decodes one coding.

    Attributes:
        is_complete: whether the end of the encoded data was read.
        ignored: bytes after that end.
    """

    is_complete: bool
    ignored: int

    def feed(self, data: bytes, most: int) -> bytes: ...


class _Zlib:
    """gzip, and deflate, which is zlib's format, though some servers send it without the frame."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._decoder: Any = None
        self.is_complete = False
        self.ignored = 0

    def feed(self, data: bytes, most: int) -> bytes:
        if self.is_complete:
            self.ignored += len(data)
            return b""
        if not data:
            return b""
        decoder = self._decoder
        if decoder is None:
            is_bare = self._bits == zlib.MAX_WBITS and data[0] & 15 != 8
            decoder = self._decoder = zlib.decompressobj(-zlib.MAX_WBITS if is_bare else self._bits)
        text: bytes = decoder.decompress(data, most)
        self.is_complete = decoder.eof
        self.ignored = len(decoder.unused_data)
        return text


class _Sliced:
    """A decoder without a limit of output, which gets few bytes per call so that each call returns little."""

    def __init__(self, process: Callable[[bytes], bytes], is_finished: Callable[[], bool]) -> None:
        self._process = process
        self._is_finished = is_finished
        self.is_complete = False
        self.ignored = 0

    def feed(self, data: bytes, most: int) -> bytes:
        text = bytearray()
        for start in range(0, len(data), _SLICE):
            if self.is_complete:
                self.ignored += len(data) - start
                break
            text += self._process(data[start : start + _SLICE])
            self.is_complete = self._is_finished()
            if len(text) >= most:
                break
        return bytes(text[:most])


def _brotli() -> _Decoder:
    decoder = import_module("brotli").Decompressor()
    return _Sliced(decoder.process, decoder.is_finished)


def _zstd() -> _Decoder:
    module = import_module(_ZSTANDARD)
    decoder = module.ZstdDecompressor(options={module.DecompressionParameter.window_log_max: _WINDOW_LOG})
    return _Sliced(decoder.decompress, lambda: bool(decoder.eof))


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
}
if find_spec("brotli") is not None:
    _DECODERS["br"] = _brotli
if find_spec(_ZSTANDARD.partition(".")[0]) is not None and find_spec(_ZSTANDARD) is not None:
    _DECODERS["zstd"] = _zstd


def offered() -> str:
    """Return the codings that browsers accept and that can be decoded here."""
    return ", ".join(coding for coding in ("gzip", "deflate", "br", "zstd") if coding in _DECODERS)


@dataclass(slots=True)
class Decoded:
    """A body as a browser sees it.

    Attributes:
        reads: the decoded text, and when it arrived.
        error: why it cannot be decoded, or not further; None if it can.
        is_complete: whether the end of the encoded data was read.
        ignored: bytes after that end, which browsers ignore.
        is_cut: whether the decoded text exceeds the limit.
    """

    reads: list[Read] = field(default_factory=list[Read])
    error: str | None = None
    is_complete: bool = True
    ignored: int = 0
    is_cut: bool = False


def decode(probe: Probe) -> Decoded:
    """Decode a body read by read."""
    decoded, codings = Decoded(), probe.codings
    unknown = next((coding for coding in codings if coding not in _DECODERS), None)
    if unknown is not None or len(codings) > _MOST_CODINGS:
        decoded.error = f"browsers do not know {unknown}" if unknown is not None else f"it has {len(codings)} codings"
        return decoded
    decoders = [_DECODERS[coding]() for coding in reversed(codings)]
    room = _MOST_BYTES
    for read in probe.reads:
        try:
            data = _through(decoders, read.data, room)
        except Exception as error:  # noqa: BLE001  # each library has errors of its own, and one of them raises plain Exception
            decoded.error = str(error)
            break
        if data:
            decoded.reads.append(Read(read.at, data[:room]))
        room -= len(data)
        if room < 0:
            decoded.is_cut = True
            break
    decoded.is_complete = all(decoder.is_complete for decoder in decoders)
    decoded.ignored = sum(decoder.ignored for decoder in decoders)
    return decoded


def _through(decoders: list[_Decoder], data: bytes, room: int) -> bytes:
    """Decode bytes by all decoders. Return early with more than `room` bytes if one of them returns that many."""
    for decoder in decoders:
        data = decoder.feed(data, room + 1)
        if len(data) > room:
            break
    return data
