"""Compression: what is compressed, with what, and that nothing is held back."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import pytest

from stream_adapter._middleware.compression import codecs, compressed
from stream_adapter._request import RequestHead

brotli: Any = import_module("brotli")  # it has no types
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

TEXT = [("Content-Type", "text/plain; charset=utf-8")]


class Accepts:
    def __init__(self, value: str | None) -> None:
        self._value = value

    def get(self, name: str, /) -> str | None:
        return self._value if name == "accept-encoding" else None


def outcome(headers: list[tuple[str, str]], accept: str | None = "gzip", status: int = 200) -> dict[str, str]:
    """Return the headers that go out; a codec is there if, and only if, they name a coding that was not there."""
    out, codec = compressed(status, headers, RequestHead(headers=Accepts(accept)))
    names = [name.lower() for name, _ in out]
    assert len(names) == len(set(names)), "a field twice"
    given = dict(headers).get("Content-Encoding")
    assert (codec is not None) is (dict(out).get("Content-Encoding") != given)
    return dict(out)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip;q=0.3, zstd;q=0.7", "zstd"),
        ("*", "br"),
        ("*;q=0.1, gzip;q=0", "br"),
        ("br;q=0, *", "zstd"),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("deflate", None),
        ("", None),
        (None, None),
    ],
)
def test_the_coding_is_the_one_that_the_client_prefers(accept: str | None, coding: str | None) -> None:
    headers = outcome(TEXT, accept)
    assert headers.get("Content-Encoding") == coding
    assert headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("status", "more"),
    [
        pytest.param(206, {}, id="a part of a file"),
        pytest.param(204, {}, id="no content"),
        pytest.param(304, {}, id="not modified"),
        pytest.param(200, {"Content-Range": "bytes 0-1/2"}, id="a range"),
        pytest.param(200, {"Content-Encoding": "gzip"}, id="encoded already"),
        pytest.param(200, {"Cache-Control": "public, no-transform"}, id="no-transform"),
        pytest.param(200, {"Content-Length": "499"}, id="small"),
        pytest.param(200, {"Content-Type": "image/png"}, id="compressed already"),
        pytest.param(200, {"Content-Type": "application/zip"}, id="an archive"),
        pytest.param(200, {"Content-Type": "application/octet-stream"}, id="anything"),
        pytest.param(200, {"Content-Type": ""}, id="of no type"),
    ],
)
def test_uncompressed_response_is_unchanged(status: int, more: Mapping[str, str]) -> None:
    headers = {**dict(TEXT), **more}
    assert outcome(list(headers.items()), "gzip, br", status) == headers


@pytest.mark.parametrize(
    "media_type",
    [
        "text/event-stream",
        "text/csv",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
        "application/x-ndjson",
    ],
)
def test_text_media_types_are_compressed(media_type: str) -> None:
    assert outcome([("Content-Type", media_type)])["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"ETag": '"a"'}, {"ETag": 'W/"a"'}),
        ({"ETag": 'W/"a"'}, {"ETag": 'W/"a"'}),
        ({"Vary": "Accept"}, {"Vary": "Accept, Accept-Encoding"}),
        ({"Vary": "accept-encoding"}, {"Vary": "accept-encoding"}),
        ({"Vary": "*"}, {"Vary": "*"}),
        ({"Content-Length": "500", "Accept-Ranges": "bytes", "Content-MD5": "a", "Digest": "a"}, {}),
    ],
)
def test_headers_of_the_plain_body_are_corrected_by_compression(
    given: Mapping[str, str], sent: Mapping[str, str]
) -> None:
    headers = outcome([*TEXT, *given.items()])
    assert headers == {**dict(TEXT), "Content-Encoding": "gzip", "Vary": "Accept-Encoding", **sent}


DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstd.ZstdDecompressor().decompress,
}
WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstd.ZstdDecompressor().decompress(data),
}
each_coding = pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])


@each_coding
def test_a_block_can_be_read_before_the_next_one_is_made(coding: str) -> None:
    codec, decode = codecs()[coding](), DECODERS[coding]()
    for number in range(50):
        event = b"data: %d\n\n" % number
        assert decode(codec.compress(event)) == event
    assert decode(codec.finish()) == b""


@each_coding
def test_compressed_stream_is_one_member(coding: str) -> None:
    codec = codecs()[coding]()
    data = b"".join([*(codec.compress(b"row %d\n" % number) for number in range(1000)), codec.finish()])
    assert WHOLE[coding](data) == b"".join(b"row %d\n" % number for number in range(1000))
    if coding == "gzip":
        decoder = zlib.decompressobj(wbits=31)
        decoder.decompress(data)
        assert (decoder.eof, decoder.unused_data) == (True, b"")


@each_coding
def test_a_stream_that_breaks_is_not_a_complete_one(coding: str) -> None:
    codec = codecs()[coding]()
    data = codec.compress(b"a row\n")
    with pytest.raises((EOFError, brotli.error, zstd.ZstdError)):
        if coding == "zstd":
            zstd.decompress(data)
        else:
            WHOLE[coding](data)
