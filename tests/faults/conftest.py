"""Servers are started once a session; each test finds its own with nothing running on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import stream_adapter as sa

from .harness import Host, Subject, run

HERE = Path(__file__).parent
_IN_PROCESS = {"test_asgi_edge.py", "test_asgi_odd_errors.py", "test_wsgi_odd_errors.py"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server of its own: it is a suite for itself, run by `-m servers`."""
    for item in items:
        if item.path.parent == HERE and item.path.name not in _IN_PROCESS and not item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(autouse=True)
def no_stream_is_left() -> Iterator[None]:
    """See that a test's streams have left the registry; other tests' may be in it, not yet collected."""
    before = sa.active_streams()
    yield
    assert sa.active_streams() <= before


@dataclass
class Subjects:
    """The subjects that run, by host."""

    running: dict[Host, tuple[Subject, ExitStack]] = field(default_factory=dict[Host, tuple[Subject, ExitStack]])

    def get(self, host: Host) -> Subject:
        if host not in self.running:
            stack = ExitStack()
            self.running[host] = stack.enter_context(run(host.serve, host.app)), stack
        subject, _ = self.running[host]
        subject.probe.reset()
        return subject

    def stop(self, host: Host) -> None:
        _, stack = self.running.pop(host)
        stack.close()


@pytest.fixture(scope="session")
def subjects() -> Iterator[Subjects]:
    subjects = Subjects()
    yield subjects
    for host in list(subjects.running):
        subjects.stop(host)


@pytest.fixture
def subject(request: pytest.FixtureRequest, subjects: Subjects) -> Iterator[Subject]:
    """Give the subject of the `Host` that the test is parametrized with."""
    host: Host = request.param
    subject = subjects.get(host)
    yield subject
    subject.leave()
    if subject.probe.opened != subject.probe.closed:  # a failed test's: the next one is not to find them
        print(subject.server.log())  # noqa: T201  # what pytest shows with a failed test
        subjects.stop(host)
