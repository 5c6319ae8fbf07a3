"""`python -m stream_adapter`, over HTTP: twelve streams and a page."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

from stream_adapter._demo import sources
from tests.demo.support import FRAMEWORKS, PATHS, Demo, command, environment, running, wait_until_open
from tests.support.gate import BOUND
from tests.support.servers import ROOT

FINITE = ["text", "csv", "download"]


@pytest.fixture
def client(demo: Demo) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=demo.url, timeout=BOUND) as client:
        wait_until_open(client, lambda count: count == 0)
        yield client


@pytest.fixture(scope="module")
def bodies(demo: Demo) -> dict[str, bytes]:
    """Read every finite stream to its end, all of them at a time."""

    async def read_all() -> dict[str, bytes]:
        async with httpx2.AsyncClient(base_url=demo.url, timeout=BOUND) as client:
            paths = [f"/{framework}/{kind}" for framework in FRAMEWORKS for kind in FINITE]
            answers = await asyncio.gather(*map(client.get, paths))
            return {path: answer.content for path, answer in zip(paths, answers, strict=True)}

    return asyncio.run(read_all())


@pytest.mark.parametrize("path", PATHS)
def test_a_first_chunk_arrives_while_the_generator_is_open_and_leaving_closes_it(
    client: httpx2.Client, path: str
) -> None:
    with client.stream("GET", path) as answer:
        blocks = answer.iter_bytes()  # kept, for httpx hangs up when it is dropped
        assert next(blocks)
        assert wait_until_open(client, lambda count: count > 0) == 1

    assert wait_until_open(client, lambda count: count == 0) == 0


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("text", {"content-type": "text/plain; charset=utf-8"}),
        ("events", {"content-type": "text/event-stream", "x-accel-buffering": "no"}),
        ("csv", {"content-type": "text/csv; charset=utf-8", "x-total-rows": str(sources.ROWS)}),
        (
            "download",
            {
                "content-type": "application/octet-stream",
                "content-length": str(sources.SIZE),
                "content-disposition": "attachment; filename=stream.bin",
            },
        ),
    ],
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_framework_says_the_same_of_a_stream(
    client: httpx2.Client, framework: str, kind: str, headers: dict[str, str]
) -> None:
    with client.stream("GET", f"/{framework}/{kind}") as answer:
        assert answer.status_code == 200
        assert {name: answer.headers.get(name) for name in headers} == headers


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("text", sources.ANSWER.encode()),
        ("download", bytes(range(256)) * (sources.SIZE // 256)),
    ],
)
def test_every_framework_sends_the_bytes_of_the_generator(
    bodies: dict[str, bytes], framework: str, kind: str, whole: bytes
) -> None:
    body = bodies[f"/{framework}/{kind}"]

    assert (len(body), hashlib.sha256(body).hexdigest()) == (len(whole), hashlib.sha256(whole).hexdigest())


def test_the_table_is_the_same_from_all_three_and_whole(bodies: dict[str, bytes]) -> None:
    tables = {bodies[f"/{framework}/csv"] for framework in FRAMEWORKS}

    assert len(tables) == 1
    lines = tables.pop().decode().splitlines()
    assert lines[0] == "order,city,amount"
    assert [line.split(",")[0] for line in lines[1:]] == [str(number) for number in range(1, sources.ROWS + 1)]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_events_have_numbers_and_values(client: httpx2.Client, framework: str) -> None:
    lines = list[str]()

    with client.stream("GET", f"/{framework}/events") as answer:
        for line in answer.iter_lines():
            lines.append(line)
            if line.startswith("data: ") and "id: 1" in lines:
                break

    assert [line for line in lines if line.startswith("id: ")] == ["id: 0", "id: 1"]
    assert 'data: {"value":50.0}' in lines


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/ports", "application/json"),
    ],
)
def test_the_page_and_what_it_needs_are_served(client: httpx2.Client, path: str, media_type: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content


@pytest.mark.parametrize("path", ["/nothing", "/flask/nothing", "/django/nothing", "/fastapi/nothing", "/../app.py"])
def test_demo_answers_an_unknown_path_with_404(client: httpx2.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_streams_from_a_port_of_its_own_to_the_page(client: httpx2.Client, framework: str) -> None:
    url = f"http://127.0.0.1:{client.get('/ports').json()[framework]}/{framework}/csv"

    with client.stream("GET", url, headers={"Origin": str(client.base_url)}) as answer:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "X-Total-Rows"
        assert next(answer.iter_bytes())


def test_ctrl_c_ends_streams_and_demo_without_output() -> None:
    with running("--port", "0") as demo, httpx2.Client(base_url=demo.url, timeout=BOUND) as client:
        streams = [client.send(client.build_request("GET", path), stream=True) for path in PATHS]
        assert wait_until_open(client, lambda count: count == len(PATHS)) == len(PATHS)

        assert demo.interrupt() == (0, "")

        for stream in streams:
            stream.close()


def test_taken_port_8000_falls_back_to_a_free_port() -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 8000))
    except OSError:
        taken = socket.socket()  # another process has it, which is as good

    with taken, running() as demo, httpx2.Client(timeout=BOUND) as client:
        assert httpx2.URL(demo.url).port not in {None, 8000}
        assert client.get(demo.url).status_code == 200


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_demo_can_be_stopped(signalled: signal.Signals) -> None:
    with running("--port", "0") as demo:
        demo.process.send_signal(signalled)
        output, _ = demo.process.communicate(timeout=BOUND)

        assert output == ""
        assert demo.process.returncode == (0 if signalled is signal.SIGINT else -signalled)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=BOUND, check=False
    )


def test_a_port_that_was_asked_for_and_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = _run(*command("--port", str(taken.getsockname()[1])))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Cannot listen on 127.0.0.1: Address already in use")
    assert ended.stderr.count("\n") == 1


def test_invalid_port_is_a_usage_error() -> None:
    ended = _run(*command("--port", "65536"))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("argument --port: expected 0 to 65535, got 65536\n")


@pytest.mark.parametrize("name", ["flask", "django", "fastapi", "uvicorn"])
def test_demo_without_its_extra_prints_the_install_command(name: str) -> None:
    start = f"import runpy, sys; sys.modules[{name!r}] = None; runpy.run_module('stream_adapter', run_name='__main__')"

    ended = _run(sys.executable, "-c", start)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f'The demo needs {name}: pip install "stream-adapter[demo]"\n'
