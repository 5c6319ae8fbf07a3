"""Downloads through real servers: right to the byte, broken when they cannot be, and nothing left open."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.support.gate import BOUND
from tests.support.servers import Server, granian, gunicorn, hypercorn, uvicorn, waitress, werkzeug

HOSTS: dict[str, tuple[Callable[..., AbstractContextManager[Server]], str]] = {
    "WSGI, gunicorn": (gunicorn, "plain:wsgi"),
    "WSGI, waitress": (waitress, "plain:wsgi"),
    "WSGI, Werkzeug": (werkzeug, "plain:wsgi"),
    "ASGI, uvicorn": (uvicorn, "plain:asgi"),
    "ASGI, hypercorn": (hypercorn, "plain:asgi"),
    "ASGI, granian": (granian, "plain:asgi"),
    "Flask, gunicorn": (gunicorn, "flask_app:app"),
    "Flask, waitress": (waitress, "flask_app:app"),
    "Flask by to_asgi, granian": (granian, "flask_app:by_to_asgi"),
    "Django WSGI, gunicorn": (gunicorn, "django_app:wsgi"),
    "Django ASGI, uvicorn": (uvicorn, "django_app:asgi"),
    "FastAPI, uvicorn": (uvicorn, "fastapi_app:app"),
}
FRAMEWORKS = [host for host in HOSTS if "SGI," not in host or "Django" in host]
OWN_READS = ["WSGI, Werkzeug", "ASGI, uvicorn", "ASGI, hypercorn", "Django ASGI, uvicorn", "FastAPI, uvicorn"]

SMALL = bytes(range(256)) * 16  # 4 KiB
LARGE = bytes(range(251)) * 33_417  # 8 MiB of a period that no block has
HUGE = 64 << 20  # more than all buffers on the way hold together

Serve = Callable[[str], httpx2.Client]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    (directory / "small.txt").write_bytes(SMALL)
    (directory / "large.bin").write_bytes(LARGE)
    (directory / "outward").symlink_to("/etc/passwd")
    return directory


@pytest.fixture(scope="module")
def serve(files: Path) -> Iterator[Serve]:
    with ExitStack() as stack:
        clients: dict[str, httpx2.Client] = {}

        def client_of(host: str) -> httpx2.Client:
            if host not in clients:
                start, app = HOSTS[host]
                server = stack.enter_context(start(f"tests.files.apps.{app}", FILES=str(files)))
                clients[host] = stack.enter_context(httpx2.Client(base_url=server.url, timeout=BOUND))
            return clients[host]

        yield client_of


@pytest.fixture(params=HOSTS)
def client(request: pytest.FixtureRequest, serve: Serve) -> httpx2.Client:
    return serve(request.param)


def wait_until_none_is_open(client: httpx2.Client) -> None:
    deadline = time.monotonic() + BOUND
    while (count := client.get("/-/open").text) != "0":
        assert time.monotonic() < deadline, f"{count} files are left open"
        time.sleep(0.01)


@pytest.mark.parametrize("prefix", ["/", "/trusted/"])
def test_a_file_arrives_whole_and_in_parts_again_and_again(client: httpx2.Client, prefix: str) -> None:
    for _ in range(2):
        whole = client.get(f"{prefix}large.bin")
        assert (whole.status_code, whole.headers["content-length"]) == (200, str(len(LARGE)))
        assert whole.content == LARGE
        assert whole.headers["x-content-type-options"] == "nosniff"
        part = client.get(f"{prefix}large.bin", headers={"Range": "bytes=1000003-7000000"})
        assert (part.status_code, part.content) == (206, LARGE[1000003:7000001])
        assert part.headers["content-range"] == f"bytes 1000003-7000000/{len(LARGE)}"
        assert client.get(f"{prefix}small.txt").content == SMALL
    wait_until_none_is_open(client)


def test_file_of_flask_itself_arrives_whole_by_to_asgi_on_granian(serve: Serve) -> None:
    client = serve("Flask by to_asgi, granian")
    for _ in range(2):
        whole = client.get("/own/large.bin")
        assert (whole.status_code, whole.headers["content-length"]) == (200, str(len(LARGE)))
        assert whole.content == LARGE
    assert client.get("/own/large.bin", headers={"Range": "bytes=5-9"}).content == LARGE[5:10]
    wait_until_none_is_open(client)


def test_conditions_and_head_are_answered_without_a_body(client: httpx2.Client) -> None:
    head = client.head("/large.bin")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(LARGE)), b"")
    asked = {"If-None-Match": head.headers["etag"]}
    unchanged = client.get("/large.bin", headers=asked)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == head.headers["etag"]
    assert client.get("/large.bin", headers={"If-Match": '"x"'}).status_code == 412
    beyond = client.get("/large.bin", headers={"Range": f"bytes={len(LARGE)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(LARGE)}")
    wait_until_none_is_open(client)


@pytest.mark.parametrize("name", ["nothing", "outward", "%2e%2e/secret"])
def test_server_answers_a_missing_file_with_404(client: httpx2.Client, name: str) -> None:
    assert client.get(f"/{name}").status_code == 404


@pytest.mark.parametrize("host", FRAMEWORKS)
def test_404_handler_of_the_framework_answers_a_missing_file(serve: Serve, host: str) -> None:
    response = serve(host).get("/nothing")
    assert (response.status_code, response.text) == (404, "the framework's own")


def receive_while(client: httpx2.Client, url: str, change: Callable[[], object]) -> tuple[bytes, bool]:
    """Download, make a change after the first bytes, and return what came and whether the end was a visible break."""
    received = bytearray()
    try:
        with client.stream("GET", url) as response:
            blocks = response.iter_raw(1 << 16)
            received += next(blocks)
            change()
            for block in blocks:
                received += block
    except httpx2.TransportError:
        return bytes(received), True
    return bytes(received), False


def test_a_file_that_shrinks_breaks_the_connection(client: httpx2.Client, files: Path) -> None:
    path = files / "shrinking"
    path.write_bytes(b"s" * HUGE)
    received, broken = receive_while(client, "/shrinking", lambda: os.truncate(path, 1 << 20))
    assert broken
    assert len(received) < HUGE
    assert not received.strip(b"s\0")  # NUL: of pages that the kernel was sending when it cut them off
    assert client.get("/small.txt").content == SMALL
    wait_until_none_is_open(client)


def test_a_file_that_grows_is_never_sent_beyond_its_length(client: httpx2.Client, files: Path) -> None:
    path = files / "growing"
    path.write_bytes(b"g" * HUGE)

    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"more" * 1000)

    received, _ = receive_while(client, "/growing", grow)
    assert len(received) <= HUGE
    assert not received.strip(b"g")
    assert client.get("/small.txt").content == SMALL
    wait_until_none_is_open(client)


@pytest.mark.parametrize("host", OWN_READS)
def test_where_we_read_a_file_that_is_written_to_breaks_the_connection(serve: Serve, files: Path, host: str) -> None:
    path = files / "written"
    path.write_bytes(b"w" * HUGE)

    def overwrite() -> None:
        with path.open("r+b") as file:
            file.seek(HUGE - 10)
            file.write(b"another's!")

    received, broken = receive_while(serve(host), "/written", overwrite)
    assert broken
    assert not received.strip(b"w")


@pytest.mark.parametrize("host", ["WSGI, gunicorn", "WSGI, waitress", "ASGI, uvicorn", "Flask, gunicorn"])
def test_two_hundred_downloads_some_of_them_aborted_are_right_and_leave_nothing_open(serve: Serve, host: str) -> None:
    client, chance = serve(host), random.Random(5)
    for _ in range(200):
        start = chance.randrange(len(LARGE))
        stop = chance.randrange(start, len(LARGE)) + 1
        wanted = min(stop - start, chance.choice([1, 1 << 16, 1 << 20, len(LARGE)]))
        received = bytearray()
        with client.stream("GET", "/large.bin", headers={"Range": f"bytes={start}-{stop - 1}"}) as response:
            assert response.status_code == 206
            for block in response.iter_raw():
                received += block
                if len(received) >= wanted:
                    break
        assert received == LARGE[start : start + len(received)]
    wait_until_none_is_open(client)
