"""Compression with a flush per block: each call returns all of its input; one stream is one member.

The client's Accept-Encoding selects the coding (RFC 9110, 12.5.3); gzip is RFC 1952, br RFC 7932, zstd
RFC 8878. The levels are fast enough for a network. The windows are limited, because each stream has one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Protocol

from werkzeug.http import parse_etags

from stream_adapter._accept import acceptable_codings
from stream_adapter._headers import field_value, without_fields
from stream_adapter._media_types import ITEM_STREAMS, without_parameters
from stream_adapter._request import RequestHead
from stream_adapter._status import is_bodiless

__all__ = ["Codec", "codecs", "compressed", "revalidated"]

# PEP 784's module, which has the same interface where it is a package of its own; a build of Python may lack it
_ZSTANDARD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_SMALL = 500  # bytes; compression of a smaller body is not worthwhile
_COMPRESSIBLE = frozenset(
    {"application/json", "application/javascript", "application/xml", "application/wasm", "application/x-javascript"}
    | {"image/svg+xml", "image/bmp"}
    | ITEM_STREAMS
)
_OF_PLAIN_BODY = frozenset({"content-length", "accept-ranges", "content-md5", "content-digest", "digest"})


class Codec(Protocol):
    """The encoder of one stream."""

    def compress(self, block: bytes) -> bytes:
        """Return all of `block`, compressed: nothing waits for the next one."""
        ...

    def finish(self) -> bytes:
        """Return the end of a stream that is complete."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._encoder = zlib.compressobj(level=6, wbits=31)

    def compress(self, block: bytes) -> bytes:
        return self._encoder.compress(block) + self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._encoder.flush()


class _Brotli:
    def __init__(self) -> None:
        brotli: Any = import_module("brotli")
        self._encoder = brotli.Compressor(quality=4, lgwin=18)

    def compress(self, block: bytes) -> bytes:
        return bytes(self._encoder.process(block) + self._encoder.flush())

    def finish(self) -> bytes:
        return bytes(self._encoder.finish())


class _Zstandard:
    def __init__(self) -> None:
        zstd: Any = import_module(_ZSTANDARD)
        options = {zstd.CompressionParameter.compression_level: 3, zstd.CompressionParameter.window_log: 18}
        self._encoder = zstd.ZstdCompressor(options=options)
        self._flush_block: int = zstd.ZstdCompressor.FLUSH_BLOCK

    def compress(self, block: bytes) -> bytes:
        return bytes(self._encoder.compress(block, self._flush_block))

    def finish(self) -> bytes:
        return bytes(self._encoder.flush())


@cache
def codecs() -> Mapping[str, Callable[[], Codec]]:
    """Return what this Python can compress with, by content coding."""
    found: dict[str, Callable[[], Codec]] = {"gzip": _Gzip}
    if find_spec("brotli") is not None:
        found["br"] = _Brotli
    if _is_installed(_ZSTANDARD):
        found["zstd"] = _Zstandard
    return MappingProxyType(found)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not
        return False


def compressed(
    status: int, headers: list[tuple[str, str]], head: RequestHead
) -> tuple[list[tuple[str, str]], Codec | None]:
    """Return the outgoing headers of a stream, and its encoder; None without compression.

    Args:
        status: of the response.
        headers: of the response.
        head: of the request.
    """
    fields = {name.lower(): value for name, value in headers}
    if not _may_be_compressed(status, fields):
        return headers, None
    headers = _with_vary(headers)
    accepted = acceptable_codings(head.headers.get("accept-encoding"))
    coding = next((coding for coding in accepted if coding in codecs()), None)
    if coding is None:
        return headers, None
    kept = [_weakened(name, value) for name, value in without_fields(headers, _OF_PLAIN_BODY)]
    return [*kept, ("Content-Encoding", coding)], codecs()[coding]()


def revalidated(headers: list[tuple[str, str]], head: RequestHead) -> list[tuple[str, str]]:
    """Return the headers of a 304, which describe the stored response that the client asked about.

    A 304 does not say whether its 200 was compressed, but the client does: it asks by the weak form of a tag that the
    application made strong.

    Args:
        headers: of the response.
        head: of the request.
    """
    tag = field_value(headers, "etag") or ""
    stored = parse_etags(head.headers.get("if-none-match"))
    if not tag.startswith('"') or not stored.is_weak(tag.strip('"')):
        return headers
    return _with_vary(_weakened(name, value) for name, value in headers)


def _may_be_compressed(status: int, fields: Mapping[str, str]) -> bool:
    """Return True if compression is allowed and worthwhile."""
    length = fields.get("content-length", "")
    return not (
        is_bodiless(status)
        or status == 206
        or "content-range" in fields
        or "content-encoding" in fields
        or "no-transform" in _tokens(fields.get("cache-control", ""))
        or (length.isdecimal() and int(length) < _SMALL)
        or not _is_compressible(fields.get("content-type", ""))
    )


def _is_compressible(content_type: str) -> bool:
    kind = without_parameters(content_type)
    return kind.startswith("text/") or kind.endswith(("+json", "+xml")) or kind in _COMPRESSIBLE


def _with_vary(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers with Accept-Encoding in Vary (RFC 9110, 12.5.5)."""
    kept, vary = list[tuple[str, str]](), list[str]()
    for name, value in headers:
        if name.lower() == "vary":
            vary.append(value)
        else:
            kept.append((name, value))
    if not _tokens(", ".join(vary)) & {"accept-encoding", "*"}:
        vary.append("Accept-Encoding")
    return [*kept, ("Vary", ", ".join(vary))]


def _weakened(name: str, value: str) -> tuple[str, str]:
    """Make a strong ETag weak, because the compressed bytes differ from those that it names (RFC 9110, 8.8.1)."""
    if name.lower() == "etag" and not value.startswith("W/"):
        value = f"W/{value}"
    return name, value


def _tokens(value: str) -> set[str]:
    return {token.strip().lower() for token in value.split(",")}
