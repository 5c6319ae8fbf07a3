"""What the demo shows beside its twelve streams: an answer that is joined, a failure, a resume, the code."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from stream_adapter._demo import broker, sources
from tests.demo.support import FRAMEWORKS, Demo, command, environment, running
from tests.support.gate import BOUND
from tests.support.servers import ROOT
from tests.support.stores import store

FOLDER = Path(broker.__file__).parent
SCENES = ["answer", "failing", "leaving", "news", "text", "events", "csv", "download"]


@pytest.fixture
def client(demo: Demo) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=demo.url, timeout=BOUND) as client:
        yield client


Event = tuple[str, str, str]  # name, data, id


def read(client: httpx2.Client, path: str, ends: Callable[[list[Event]], bool], cursor: str = "") -> list[Event]:
    """Read events until `ends` of them, or to the end of the stream; then leave."""
    read: list[Event] = []
    with client.stream("GET", path, headers={"Last-Event-ID": cursor} if cursor else {}) as response:
        assert response.status_code == 200
        try:
            for event in httpx2.EventSource(response):
                read.append((event.event, event.data, event.id or ""))
                if ends(read):
                    break
        except httpx2.RemoteProtocolError:
            pass  # a stream that failed ends without its last chunk
    return read


def text(events: list[Event]) -> str:
    return "".join(data for name, data, _ in events if name == "message")


def run_of(client: httpx2.Client, framework: str) -> str:
    run: str = client.post(f"/{framework}/answer").raise_for_status().json()["run"]
    return run


def stop(client: httpx2.Client, framework: str, run: str) -> bool:
    stopped: bool = client.post(f"/{framework}/answer/{run}/stop").raise_for_status().json()["stopped"]
    return stopped


# ---- The answer


@pytest.mark.parametrize(
    ("asked", "joined"), [("flask", "django"), ("django", "fastapi"), ("fastapi", "flask")], ids=str
)
def test_answer_is_joined_resumed_and_stopped_in_each_framework(client: httpx2.Client, asked: str, joined: str) -> None:
    run = run_of(client, asked)
    assert run_of(client, joined) == run  # there is one

    first = read(client, f"/{asked}/answer", lambda events: len(events) == 4)
    again = read(client, f"/{joined}/answer", lambda events: len(events) == 2)
    after = read(client, f"/{joined}/answer", lambda events: len(events) == 2, cursor=first[1][2])
    assert text(first) == broker.ANSWER[: len(text(first))]
    assert again == first[:2]
    assert after == first[2:]

    assert stop(client, joined, run)
    rest = read(client, f"/{asked}/answer", lambda _: False)
    assert broker.ANSWER.startswith(text(rest))
    assert rest[-1][0] == "error"
    assert json.loads(rest[-1][1])["run"] == "cancelled"
    assert client.get(f"/{asked}/answer", headers={"Last-Event-ID": rest[-1][2]}).status_code == 204


def test_old_run_never_stops_a_newer_one(client: httpx2.Client) -> None:
    old = run_of(client, "flask")
    assert stop(client, "flask", old)
    read(client, "/flask/answer", lambda _: False)
    new = run_of(client, "flask")

    assert new != old
    assert not stop(client, "flask", old)
    assert stop(client, "flask", new)


def test_start_of_an_answer_is_published_to_the_news(client: httpx2.Client) -> None:
    cursor = read(client, "/django/news", lambda events: len(events) == 1)[-1][2]
    run = run_of(client, "fastapi")

    news = read(client, "/flask/news", lambda events: events[-1][0] == "asked", cursor)

    assert news[-1][:2] == ("asked", run)
    stop(client, "fastapi", run)


# ---- A failure, a leave, a resume


def of_each_framework(check: Callable[[str], object]) -> None:
    """Check all three at a time: each takes seconds in which nothing happens."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(check, FRAMEWORKS))


def test_failure_keeps_the_sent_text_and_hides_the_exception(client: httpx2.Client) -> None:
    def check(framework: str) -> None:
        events = read(client, f"/{framework}/failing", lambda _: False)
        assert text(events) == sources.HALF
        assert events[-1][0] == "error"
        assert json.loads(events[-1][1])["status"] == 500
        assert not any(sources.INTERNAL in data or "ConnectionError" in data for _, data, _ in events)

    of_each_framework(check)


def test_leaving_runs_the_finally_and_publishes_it(client: httpx2.Client) -> None:
    def check(framework: str) -> None:
        cursor = read(client, "/fastapi/news", lambda events: len(events) == 1)[-1][2]
        with client.stream("GET", f"/{framework}/leaving/{framework}-1") as response:
            lines = response.iter_lines()
            assert [next(lines), next(lines)] == ["1", "2"]

        def is_closed(events: list[Event]) -> bool:
            name, data, _ = events[-1]
            return name == "finally" and json.loads(data)["visit"] == f"{framework}-1"

        closed = read(client, f"/{framework}/news", is_closed, cursor)[-1]
        assert json.loads(closed[1])["number"] >= 2

    of_each_framework(check)


def test_news_go_on_after_the_last_event_without_loss_or_repetition(client: httpx2.Client) -> None:
    def numbers(events: list[Event]) -> list[int]:
        return [int(data) for name, data, _ in events if name == "message"]

    def check(framework: str) -> None:
        before = read(client, f"/{framework}/news", lambda events: len(numbers(events)) == 2)
        read(client, "/flask/news", lambda events: len(numbers(events)) == 3)  # which takes a while
        after = read(client, f"/{framework}/news", lambda events: len(numbers(events)) == 4, before[-1][2])
        received = numbers(before) + numbers(after)
        assert [(number - received[0]) % broker.CYCLE for number in received] == list(range(6))

    of_each_framework(check)


def test_failure_is_one_line_of_the_log_and_the_end_of_other_streams_none() -> None:
    with running("--port", "0") as demo, httpx2.Client(base_url=demo.url, timeout=BOUND) as client:
        run_of(client, "flask")
        paths = [f"/{framework}/{path}" for framework in FRAMEWORKS for path in ("answer", "news", "leaving/1")]
        streams = [client.send(client.build_request("GET", path), stream=True) for path in paths]
        of_each_framework(lambda framework: read(client, f"/{framework}/failing", lambda _: False))

        code, output = demo.interrupt()

        for stream in streams:
            stream.close()
    assert code == 0
    assert output.count(f"ConnectionError: {sources.INTERNAL}\n") == 3
    assert len(output.splitlines()) == 6


# ---- The code


def test_page_shows_the_code_that_runs_and_one_line_that_differs(client: httpx2.Client) -> None:
    scenes = client.get("/code").json()

    assert list(scenes) == SCENES
    for blocks in (block for frameworks in scenes.values() for block in frameworks.items()):
        framework, (view, source) = blocks
        assert view["file"] == f"{framework}_app.py"
        assert view["differs"].startswith(f"from stream_adapter_{framework} import ")
        for block in (view, source):
            lines = (FOLDER / block["file"]).read_text()
            assert block["parts"]
            assert all(f"\n{part}\n" in lines for part in [*block["parts"], block["differs"] or "\n"])
    differing = {re.sub("flask|django|fastapi", "…", blocks[0]["differs"]) for blocks in scenes["text"].values()}
    assert len(differing) == 1


@pytest.mark.parametrize("file", sorted(path.name for path in (FOLDER / "static").iterdir()))
def test_page_needs_nothing_from_another_host(file: str) -> None:
    found = set(re.findall(r"https?://[^\s\"'`)]+", (FOLDER / "static" / file).read_text()))

    assert found <= {"http://www.w3.org/2000/svg"}  # a namespace, which is not fetched


def test_browser_asks_again_for_each_file_so_that_versions_never_mix(client: httpx2.Client) -> None:
    assert client.get("/").headers["cache-control"] == client.get("/app.js").headers["cache-control"] == "no-cache"


# ---- Several processes


@pytest.fixture(scope="module")
def two() -> Iterator[list[httpx2.Client]]:
    with ExitStack() as stack:
        url = stack.enter_context(store("redis"))
        demos = [stack.enter_context(running("--port", "0", "--broker", url)) for _ in range(2)]
        yield [stack.enter_context(httpx2.Client(base_url=demo.url, timeout=BOUND)) for demo in demos]


def test_answer_of_one_process_is_joined_and_stopped_at_another(two: list[httpx2.Client]) -> None:
    one, other = two
    cursor = read(other, "/django/news", lambda events: len(events) == 1)[-1][2]
    run = run_of(one, "flask")
    first = read(one, "/flask/answer", lambda events: len(events) == 3)

    assert read(other, "/fastapi/answer", lambda events: len(events) == 3) == first
    asked = read(other, "/django/news", lambda events: events[-1][0] == "asked", cursor)[-1]
    assert asked[1] == run

    assert stop(other, "django", run)
    assert json.loads(read(one, "/flask/answer", lambda _: False)[-1][1])["run"] == "cancelled"


def test_numbers_of_two_processes_are_published_once(two: list[httpx2.Client]) -> None:
    one, other = two
    before = read(one, "/flask/news", lambda events: len(events) == 4)
    after = read(other, "/fastapi/news", lambda events: len(events) == 8, before[-1][2])

    numbers = [int(data) for name, data, _ in [*before, *after] if name == "message"]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("url", "said"), [("ftp://here", "ftp"), ("redis://here:port/0", "port")], ids=["scheme", "port"]
)
def test_a_broker_that_cannot_be_is_one_line(url: str, said: str) -> None:
    ended = subprocess.run(
        command("--port", "0", "--broker", url),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"Cannot use the broker {url}: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
