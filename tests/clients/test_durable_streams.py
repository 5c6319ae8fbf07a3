"""examples/durable_streams, by requests of the protocol, and by the conformance tests of its makers (-m suites)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest

from tests.support.node import DURABLE_STREAMS, install, run_vitest
from tests.support.servers import Server, uvicorn

pytest.importorskip("starlette")

APP = "examples.durable_streams:app"
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
CLOSED = {"Stream-Closed": "true"}

PASSED = 250
TOO_STRICT = {  # they look for `data:{` in the text; this library writes the space of the protocol's own examples
    "should generate streamCursor in SSE control events",
    "should handle cursor collision with jitter in SSE mode",
    "should handle newlines in text/plain payloads",
}


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    """Start two workers on one broker."""
    broker = f"sqlite:///{tmp_path_factory.mktemp('broker')}/broker.db"
    with (
        uvicorn(APP, BROKER=broker, LONG_POLL="30") as one,
        uvicorn(APP, BROKER=broker, LONG_POLL="0.05") as two,
        httpx.Client(base_url=one.url, timeout=60) as to_one,
        httpx.Client(base_url=two.url, timeout=60) as to_two,
    ):
        yield [to_one, to_two]


def state(answer: httpx.Response) -> tuple[int, bool, bool]:
    return answer.status_code, "stream-up-to-date" in answer.headers, "stream-closed" in answer.headers


def test_reader_at_another_worker_catches_up_from_an_offset_and_sees_the_end(workers: list[httpx.Client]) -> None:
    one, two = workers
    assert one.put("/a", headers=JSON).status_code == 201
    appended = one.post("/a", headers=JSON, json=[{"n": 1}, {"n": 2}])
    one.post("/a", headers=JSON, json={"n": 3})
    first = two.get("/a")
    assert (first.json(), state(first)) == ([{"n": 1}, {"n": 2}, {"n": 3}], (200, True, False))
    assert two.get("/a", params={"offset": appended.headers["stream-next-offset"]}).json() == [{"n": 3}]
    assert two.head("/a").headers["stream-next-offset"] == first.headers["stream-next-offset"]
    assert one.post("/a", headers=CLOSED).status_code == 204
    end = two.get("/a", params={"offset": first.headers["stream-next-offset"]})
    assert (end.json(), state(end)) == ([], (200, True, True))
    assert one.post("/a", headers=JSON, json=1).status_code == 409


def test_long_poll_ends_when_something_is_appended_and_when_it_took_too_long(workers: list[httpx.Client]) -> None:
    one, two = workers
    offset = one.put("/b", headers=TEXT).headers["stream-next-offset"]
    query = {"offset": offset, "live": "long-poll"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(one.get, "/b", params=query)
        late = two.get("/b", params=query)
        assert state(late) == (204, True, False)
        assert late.headers["stream-cursor"].isdigit()
        one.post("/b", headers=TEXT, content="new")
        assert waiting.result(60).text == "new"


def test_events_follow_a_stream_to_its_end_with_the_offset_after_each(workers: list[httpx.Client]) -> None:
    one, two = workers
    one.put("/c", headers=TEXT, content="line 1\nline 2")
    with httpx_sse.connect_sse(two, "GET", "/c", params={"offset": "-1", "live": "sse"}) as source:
        events = source.iter_sse()
        assert next(events).data == "line 1\nline 2"
        control = json.loads(next(events).data)
        assert (control["upToDate"], "streamClosed" in control) == (True, False)
        one.post("/c", headers={**TEXT, **CLOSED}, content="line 3")
        data, last = events
        assert (data.event, data.data, last.event) == ("data", "line 3", "control")
        assert json.loads(last.data)["streamClosed"] is True


def test_answers_are_cached_until_something_is_appended_or_the_stream_is_closed(workers: list[httpx.Client]) -> None:
    one, two = workers
    one.put("/d", headers=TEXT, content="a")
    seen = two.get("/d").headers["etag"]
    assert two.get("/d", headers={"If-None-Match": seen}).status_code == 304
    one.post("/d", headers=CLOSED)
    closed = two.get("/d", headers={"If-None-Match": seen})
    assert (closed.text, state(closed)) == ("a", (200, True, True))
    assert closed.headers["cache-control"] == "private, max-age=60, stale-while-revalidate=300"
    assert two.head("/d").headers["cache-control"] == "no-store"


def test_stream_that_was_deleted_is_not_found_and_offsets_of_it_are_gone(workers: list[httpx.Client]) -> None:
    one, two = workers
    old = one.put("/e", headers=TEXT, content="a").headers["stream-next-offset"]
    one.delete("/e")
    assert two.get("/e").status_code == 404
    one.put("/e", headers=TEXT, content="b")
    assert two.get("/e").text == "b"
    assert two.get("/e", params={"offset": old}).status_code == 410


def test_body_of_several_events_is_read_whole_and_no_character_is_cut(workers: list[httpx.Client]) -> None:
    one, two = workers
    text = "☃é𝄞." * 200_000
    one.put("/f", headers=TEXT, content=text)
    pages = [two.get("/f", params={"offset": "-1"})]
    while "stream-up-to-date" not in pages[-1].headers:
        pages.append(two.get("/f", params={"offset": pages[-1].headers["stream-next-offset"]}))
    assert "".join(page.content.decode() for page in pages) == text
    assert len(pages) > 1


@pytest.mark.parametrize(
    "query", [{"offset": "nonsense"}, {"offset": ""}, {"live": "sse"}, {"live": "x", "offset": "-1"}]
)
def test_invalid_offset_or_live_mode_is_answered_400(workers: list[httpx.Client], query: dict[str, str]) -> None:
    workers[0].put("/g", headers=TEXT)
    assert workers[0].get("/g", params=query).status_code == 400


@pytest.mark.suites
def test_conformance_tests_pass_but_for_forks_and_those_that_want_no_space_after_data(tmp_path: Path) -> None:
    with uvicorn(APP, LONG_POLL="3") as server:
        report = run_conformance(server, tmp_path)
    results: list[dict[str, Any]] = [test for file in report["testResults"] for test in file["assertionResults"]]
    others = [test for test in results if not test["ancestorTitles"][0].startswith("Fork - ")]
    failed = {test["title"] for test in others if test["status"] == "failed"}
    assert failed == TOO_STRICT
    assert sum(test["status"] == "passed" for test in results) == PASSED


def run_conformance(server: Server, folder: Path) -> Any:
    node = install(folder, DURABLE_STREAMS)
    return run_vitest(node, "--testTimeout=60000", timeout=900, SERVER=server.url)
