"""Blocking sources have threads of their own; beyond the limit a request gets 503 with Retry-After."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from .harness import Host, Subject, run
from .hosts import named


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", [named("uvicorn-plain"), named("uvicorn-FastAPI")], ids=["plain", "FastAPI"])
@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.servers)])
@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_blocking_streams_leave_the_server_answering(host: Host, count: int) -> None:
    with run(host, FAULTS_MAX_THREADS=str(count)) as subject:
        clients = [subject.stream("idle", "sync") for _ in range(count)]
        for client in clients:
            client.read_until(b"first")
        subject.hello()
        _is_refused(subject)
        subject.stream("finite", "async").read_until(b"0\r\n\r\n")
        subject.probe.release()
        for client in clients:
            client.read_until(b"last")
        subject.probe.wait(lambda it: it.opened == it.closed == it.reasons["done"] == count + 1)
        assert subject.probe.reasons["error"] == 1, "the one that was refused"
        subject.stream("finite", "sync").read_until(b"0\r\n\r\n")


def _is_refused(subject: Subject) -> None:
    client = subject.stream("idle", "sync").read_until(b"\r\n\r\n")
    assert client.status == 503
    assert b"retry-after: " in client.received.lower()
