"""Runs of several processes: one producer, whatever happens to it, and an end that every client receives."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

import stream_adapter as sa
from stream_adapter.testing import events
from tests.support.servers import Server, uvicorn

_BOUND = 30.0
_APP = "tests.runs.apps.plain_asgi:app"

Start = Callable[[], Server]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def start(shared_url: str, notes: Path) -> Iterator[Start]:
    with ExitStack() as servers:
        yield lambda: servers.enter_context(uvicorn(_APP, BROKER=shared_url, NOTES=str(notes)))


def _until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + _BOUND
    while not holds():
        assert time.monotonic() < until, holds
        time.sleep(0.02)


def _lines(notes: Path) -> list[str]:
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


def _status(server: Server, key: str) -> str:
    return httpx2.get(f"{server.url}/status/{key}", timeout=_BOUND).text


class Client(threading.Thread):
    """A client that reads a response to its end."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.events: list[Any] = []
        self.start()

    def run(self) -> None:
        with suppress(httpx2.TransportError), httpx2.stream("GET", self._url, timeout=_BOUND) as response:
            for event in events(response, within=_BOUND):
                self.events.append(event)

    def has_begun(self) -> bool:
        return bool(self.events)

    def finished(self) -> list[Any]:
        self.join(_BOUND)
        assert not self.is_alive()
        return self.events


def test_two_hundred_starts_on_four_workers_call_the_factory_once(start: Start, notes: Path) -> None:
    workers = [start() for _ in range(4)]

    async def read(client: httpx2.AsyncClient, worker: Server) -> tuple[str, ...]:
        response = await client.get(f"{worker.url}/run/a?n=5&pause=0.05&lease=30")
        return tuple(line for line in response.text.split("\n") if line.startswith(("id: ", "data: ")))

    async def use() -> set[tuple[str, ...]]:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(timeout=_BOUND * 2, limits=limits) as client:
            readings = [read(client, workers[index % 4]) for index in range(200)]
            return set(await asyncio.gather(*readings))

    [body] = asyncio.run(use())
    assert len(body) == 12
    assert [line.partition(" ")[0] for line in _lines(notes)].count("called") == 1


def test_killed_producer_s_clients_elsewhere_are_informed(start: Start) -> None:
    producer, other = start(), start()
    first = Client(f"{producer.url}/run/a?n=1000&pause=0.05&lease=1")
    _until(lambda: len(first.events) > 3)
    clients = [Client(f"{other.url}/run/a") for _ in range(100)]
    _until(lambda: all(client.events for client in clients))
    producer.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    received = [client.finished() for client in clients]
    assert time.monotonic() - killed < 1 + 5 + _BOUND / 2
    for everything in received:
        assert [event.json()["n"] for event in everything[:-1]] == list(range(len(everything) - 1))
        assert (everything[-1].event, everything[-1].json()["run"]) == ("error", "lost")
        assert [event.id for event in everything] == [event.id for event in received[0]]
    assert len(received[0]) > 4
    assert [event.id for event in Client(f"{other.url}/join/a").finished()] == [event.id for event in received[0]]
    assert _status(other, "a") == "lost"
    last = {"Last-Event-ID": received[0][-1].id}
    assert httpx2.get(f"{other.url}/run/a?if_done=restart", headers=last, timeout=_BOUND).status_code == 204


def test_frozen_producer_is_fenced_when_it_goes_on(start: Start, notes: Path) -> None:
    producer, other = start(), start()
    client = Client(f"{producer.url}/run/a?n=1000&pause=0.05&lease=1")
    _until(lambda: len(client.events) > 3)
    producer.process.send_signal(signal.SIGSTOP)
    try:
        _until(lambda: _status(other, "a") == "lost")
        newer = Client(f"{other.url}/run/a?n=3&if_done=restart").finished()
        assert [event.json().get("n") for event in newer] == [0, 1, 2, None]
    finally:
        producer.process.send_signal(signal.SIGCONT)
    _until(lambda: f"closed {producer.process.pid}" in _lines(notes))
    assert [event.id for event in Client(f"{other.url}/join/a").finished()] == [event.id for event in newer]
    assert client.finished()[-1].json()["run"] == "lost"


def test_run_is_cancelled_from_another_worker_within_a_second(start: Start, notes: Path) -> None:
    producer, other = start(), start()
    client = Client(f"{producer.url}/run/a?n=100000&pause=0.02&lease=60")
    _until(lambda: client.events)
    run = str(client.events[0].id).rpartition(".")[0]
    asked = time.monotonic()
    assert httpx2.get(f"{other.url}/cancel/a/{run}", timeout=_BOUND).text == "True"
    last = client.finished()[-1]
    assert time.monotonic() - asked < 15  # a third of the lease is 20 s; a second on a machine that is not busy
    assert (last.event, last.json()["run"]) == ("error", "cancelled")
    assert f"closed {producer.process.pid}" in _lines(notes)


def test_start_cancel_and_start_in_a_race_end_the_older_runs_alone(start: Start) -> None:
    workers = [start(), start()]
    known: list[str] = []
    clients: list[Client] = []
    for index in range(6):
        worker, other = workers[index % 2], workers[(index + 1) % 2]
        options = "n=100000&pause=0.02&if_done=restart&if_running=cancel"
        client = Client(f"{worker.url}/run/a?{options}")
        clients.append(client)
        _until(client.has_begun)
        run = str(client.events[0].id).rpartition(".")[0]
        assert run not in known
        for older in known:
            assert httpx2.get(f"{other.url}/cancel/a/{older}", timeout=_BOUND).text == "False"
        assert _status(other, "a") == "running"
        known.append(run)
        if index % 2:
            assert httpx2.get(f"{other.url}/cancel/a/{run}", timeout=_BOUND).text == "True"
    assert clients[-1].finished()[-1].json()["run"] == "cancelled"


_EXITING = """
import asyncio, sys, time
import stream_adapter as sa

async def slow():
    yield 1
    await asyncio.Event().wait()

def blocking():
    while True:
        yield 1
        time.sleep(0.05)

live = sa.Broker(sys.argv[1], prefix="exit")
for key, source in (("async", slow), ("sync", blocking)):
    run = live.run(key, source, lease=60).start()
    next(iter(run))
"""


def test_runs_are_ended_as_cancelled_when_their_process_exits(shared_url: str) -> None:
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", _EXITING, shared_url],
        capture_output=True, text=True, check=True, timeout=_BOUND,
    )  # fmt: skip
    assert process.stderr == ""
    with sa.Broker(shared_url, prefix="exit") as live:
        runs = {key: live.join(key) for key in ("async", "sync")}
        assert {key: run and run.status for key, run in runs.items()} == {"async": "cancelled", "sync": "cancelled"}


_CHILDREN = """
import multiprocessing, sys
import stream_adapter as sa

def endless():
    try:
        while True:
            yield 1
    finally:
        print("closed")

def child(url, key):
    live = sa.Broker(url, prefix="exit")
    next(iter(live.run(key, endless, lease=60).start()))

if __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        process = multiprocessing.get_context(method).Process(target=child, args=(sys.argv[1], method))
        process.start()
        process.join()
"""


def test_run_is_ended_as_cancelled_when_a_child_of_multiprocessing_ends(shared_url: str, tmp_path: Path) -> None:
    program = tmp_path / "children.py"
    program.write_text(_CHILDREN)
    command = [sys.executable, str(program), shared_url]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_BOUND)
    methods = multiprocessing.get_all_start_methods()
    assert process.stdout.split() == ["closed"] * len(methods), process.stderr
    with sa.Broker(shared_url, prefix="exit") as live:
        runs = {method: live.join(method) for method in methods}
        assert {method: run and run.status for method, run in runs.items()} == dict.fromkeys(methods, "cancelled")


_DRAINED = """
import atexit, os, signal, sys, threading
import stream_adapter as sa

exiting = threading.Event()
atexit.register(exiting.set)  # before the library's own

def last_words():
    yield 1
    exiting.wait()
    yield 2

signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as gunicorn does, once its streams are closed
sa.drain_on_signal(timeout=60)
live = sa.Broker(sys.argv[1], prefix="exit")
next(iter(live.run("a", last_words).start()))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_process_that_exits_while_it_is_drained_leaves_runs_the_rest_of_their_grace(shared_url: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", _DRAINED, shared_url], check=True, timeout=_BOUND)
    with sa.Broker(shared_url, prefix="exit") as live:
        run = live.join("a")
        assert run is not None
        assert (run.status, [event.data for event in run][:2]) == ("done", [1, 2])


def test_deploy_gives_a_run_its_grace_and_then_ends_it_as_cancelled(start: Start) -> None:
    producer, other = start(), start()
    first = Client(f"{producer.url}/run/a?n=1000&pause=0.05&lease=30")
    _until(lambda: first.events)
    client = Client(f"{other.url}/run/a")
    _until(lambda: client.events)
    producer.process.send_signal(signal.SIGTERM)
    last = client.finished()[-1]
    assert (last.event, last.json()["run"]) == ("error", "cancelled")


def test_deploy_of_an_application_whose_lifespan_drains_ends_its_runs_as_cancelled(
    shared_url: str, start: Start, notes: Path
) -> None:
    other = start()
    with uvicorn("tests.runs.apps.lifespan_app:app", BROKER=shared_url, NOTES=str(notes)) as producer:
        _until(Client(f"{producer.url}/run/a?n=1000&pause=0.05&lease=60").has_begun)
        producer.process.send_signal(signal.SIGTERM)
        producer.process.wait(_BOUND)
    assert _status(other, "a") == "cancelled"
    assert f"closed {producer.process.pid}" in _lines(notes)
