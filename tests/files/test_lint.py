"""httplint, which knows the RFCs and not us, finds nothing wrong with what is sent."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest
from httplint import HttpResponseLinter, levels

import stream_adapter as sa
from tests.support.interfaces import Call, either_interface

MISTAKEN = {
    "ranges": {"PARTIAL_WITHOUT_RANGE"},  # RFC 9110, 15.3.7.2 forbids the Content-Range that it misses in a multipart
}

REQUESTS: dict[str, tuple[str, dict[str, str]]] = {
    "whole": ("GET", {}),
    "head": ("HEAD", {}),
    "a range": ("GET", {"Range": "bytes=1-2"}),
    "ranges": ("GET", {"Range": "bytes=1-2,5-6"}),
    "no such range": ("GET", {"Range": "bytes=99-"}),
    "not modified": ("GET", {"If-None-Match": "*"}),
    "a failed condition": ("GET", {"If-Match": '"x"'}),
    "compressed": ("GET", {"Accept-Encoding": "gzip"}),
}


@either_interface
@pytest.mark.parametrize("name", REQUESTS)
def test_http_linter_accepts_each_answer_of_a_file(call: Call, tmp_path: Path, name: str) -> None:
    method, headers = REQUESTS[name]
    path = tmp_path / "page.txt"
    path.write_bytes(b"0123456789")
    (tmp_path / "page.txt.gz").write_bytes(gzip.compress(b"0123456789"))
    for written in tmp_path.iterdir():
        os.utime(written, (1_700_000_000, 1_700_000_000))  # now, rounded up, would be in the linter's future
    response = sa.file(path, filename="naïve 🎉.txt", precompressed=True, headers={"Cache-Control": "max-age=60"})
    answer = call(response, method=method, headers=[*headers.items()])
    assert answer.status is not None
    linter = HttpResponseLinter(start_time=time.time())
    linter.is_head_response = method == "HEAD"
    linter.process_response_topline(b"HTTP/1.1", str(answer.status).encode(), b"")
    date = [(b"Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode())]  # the server's to send
    linter.process_headers(date + [(name.encode(), value.encode("latin-1")) for name, value in answer.headers])
    for block in answer.blocks:
        linter.feed_content(block)
    linter.finish_content(True)
    wrong = {type(note).__name__ for note in linter.notes if note.level in {levels.BAD, levels.WARN}}
    assert wrong == MISTAKEN.get(name, set())
