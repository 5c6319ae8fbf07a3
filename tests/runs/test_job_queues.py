"""Runs whose producer is a task of a job queue, in the queue's own worker process."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import venv
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from tests.broker.conftest import sqlite_url
from tests.runs.sources import until
from tests.support.gate import BOUND
from tests.support.queues import working
from tests.support.servers import ROOT
from tests.support.stores import store

_APPS = "tests.runs.apps.queues"


@dataclass(frozen=True)
class Kind:
    """A queue and one of its workers.

    Attributes:
        package: that must be installed.
        queue: what the queue is in: "folder", or "redis".
        runs: what the runs are in: "sqlite", or "redis".
        arguments: of Python, for the worker; "{queue}" is where the queue is.
        limit_error: what it raises in a task that takes too long; None: it does not.
    """

    package: str
    queue: str
    runs: str
    arguments: tuple[str, ...]
    limit_error: str | None

    @property
    def app(self) -> str:
        return f"{_APPS}.in_{self.package}"


def _celery(pool: str, limit_error: str | None) -> Kind:
    options = ("--pool", pool, "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")
    arguments = ("-m", "celery", "-A", f"{_APPS}.in_celery", "worker", *options, "-l", "WARNING")
    return Kind("celery", "folder", "sqlite", arguments, limit_error)


def _rq(worker: str) -> Kind:
    arguments = ("-m", "rq.cli", "worker", "--url", "{queue}", "--worker-class", worker)
    return Kind("rq", "redis", "redis", arguments, "JobTimeoutException")


KINDS = {
    "celery-prefork": _celery("prefork", "SoftTimeLimitExceeded"),
    "celery-threads": _celery("threads", None),
    "rq": _rq("rq.Worker"),  # a fork per job
    "rq-simple": _rq("rq.SimpleWorker"),
    # its redis-py is older than a broker's, so that its runs are in another store
    "arq": Kind("arq", "redis", "sqlite", ("-m", "arq", f"{_APPS}.in_arq.Settings"), "CancelledError"),
    "dramatiq": Kind(
        "dramatiq",
        "redis",
        "redis",
        ("-m", "dramatiq", f"{_APPS}.in_dramatiq", "-p", "1", "-t", "2"),
        "TimeLimitExceeded",
    ),
}
IN_DEFAULT = {"celery-prefork", "rq", "dramatiq"}


@dataclass
class Worker:
    """A worker that runs, and a broker on the store of its runs."""

    kind: Kind
    python: str
    environment: dict[str, str]
    live: sa.Broker
    notes: Path
    log: Path

    def send(self, task: str, prompt: str) -> str:
        """Put a task into the queue, from a process of its own; return the key of its run."""
        key = secrets.token_hex(4)
        code = f"from {self.kind.app} import send\nsend({task!r}, {key!r}, {prompt!r})"
        subprocess.run([self.python, "-c", code], env=self.environment, check=True, timeout=BOUND, cwd=ROOT)
        return key

    def join(self, key: str) -> sa.Run:
        """Wait for a run to begin, as a view does."""
        run = self.live.join(key, wait=BOUND)
        assert run is not None, self.log.read_text()
        return run

    def noted(self, key: str, *lines: str) -> None:
        """Wait until the worker has noted these lines of a run, in any order."""
        expected = sorted(f"{key} {line}" for line in lines)
        until(lambda: sorted(line for line in self._lines() if line.startswith(key)) == expected, self.log.read_text)

    def _lines(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@contextmanager
def started(kind: Kind, folder: Path, python: str) -> Generator[Worker]:
    """Start a worker of a kind, and stop it in the end."""
    with ExitStack() as stack:
        queue = str(folder) if kind.queue == "folder" else stack.enter_context(store("redis"))
        url = sqlite_url() if kind.runs == "sqlite" else queue
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BROKER": url,
            "QUEUE": queue,
            "NOTES": str(folder / "notes"),
        }
        command = [python, *(argument.format(queue=queue) for argument in kind.arguments)]
        log = folder / "log"
        live = stack.enter_context(sa.Broker(url))
        with working(command, environment, log):
            yield Worker(kind, python, environment, live, folder / "notes", log)


def _marked(name: str) -> Any:
    if name == "arq":
        return pytest.param(name, marks=pytest.mark.suites)  # from the package index, into an environment of its own
    return name if name in IN_DEFAULT else pytest.param(name, marks=pytest.mark.servers)


def _python_with_arq(folder: Path) -> str:
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "arq>=0.28", str(ROOT)], check=True)
    return python


@pytest.fixture(scope="module", params=[_marked(name) for name in KINDS])
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    kind = KINDS[request.param]
    folder = tmp_path_factory.mktemp("queue")
    if kind.package == "arq":
        python = _python_with_arq(folder)
    else:
        pytest.importorskip(kind.package, reason=f"{kind.package} is not installed, or does not support this Python")
        python = sys.executable
    with started(kind, folder, python) as worker:
        yield worker


def data_of(run: sa.Run) -> list[Any]:
    return [event.data for event in run]


@pytest.mark.parametrize("task", ["produce", "produce_async"])
def test_run_of_a_task_is_joined_from_its_start_to_its_end(worker: Worker, task: str) -> None:
    key = worker.send(task, "hold nothing back")
    assert data_of(worker.join(key)) == ["hold", "nothing", "back", {"status": "done"}]
    worker.noted(key, "closed", "done")


def test_run_of_a_task_is_cancelled_by_another_process_and_the_task_returns(worker: Worker) -> None:
    key = worker.send("produce", "wait")
    run = worker.join(key)
    following = iter(run)
    assert next(following).data == "wait"
    assert run.id is not None
    assert worker.live.cancel(key, run=run.id)
    *_, last = following
    assert (last.event, last.data["run"]) == ("error", "cancelled")
    worker.noted(key, "closed", "cancelled")


def test_failure_of_a_task_s_source_is_logged_and_its_clients_get_a_generic_error(worker: Worker) -> None:
    key = worker.send("produce", "one fail")
    first, last = worker.join(key)
    assert (first.data, last.event, last.data["run"]) == ("one", "error", "error")
    worker.noted(key, "closed", "error")
    logged = worker.log.read_text()
    assert logged.count("ValueError: the model is not there") == 1


def test_time_limit_of_the_queue_ends_the_run_as_cancelled_at_once(worker: Worker) -> None:
    if worker.kind.limit_error is None:
        pytest.skip("this pool has no soft time limit")
    key = worker.send("produce_in_time", "wait")
    *_, last = worker.join(key)
    assert (last.event, last.data["run"]) == ("error", "cancelled")
    worker.noted(key, "closed", f"raised {worker.kind.limit_error}")
