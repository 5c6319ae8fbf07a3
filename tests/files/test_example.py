"""The example serves a directory."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest

from tests.support.gate import BOUND
from tests.support.servers import Server, gunicorn, uvicorn


@pytest.mark.parametrize(("start", "protocol"), [(gunicorn, "wsgi"), (uvicorn, "asgi")], ids=["WSGI", "ASGI"])
def test_the_example_serves_a_directory(
    tmp_path: Path, start: Callable[..., AbstractContextManager[Server]], protocol: str
) -> None:
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"0123456789"))
    with (
        start(f"examples.downloads:{protocol}", FILES=str(tmp_path)) as server,
        httpx2.Client(base_url=server.url, headers={"Accept-Encoding": "identity"}, timeout=BOUND) as client,
    ):
        assert client.get("/a.txt").text == "0123456789"
        assert client.get("/a.txt", headers={"Range": "bytes=-2"}).text == "89"
        packed = client.get("/a.txt", headers={"Accept-Encoding": "gzip"})
        assert (packed.text, packed.headers["content-encoding"]) == ("0123456789", "gzip")
        assert client.get("/b.txt").status_code == 404
