"""One server runs at a time, for all tests of its host; each test finds it with nothing running on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import stream_adapter as sa

from .harness import Host, Subject, run

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of one host together, so that its server is started once."""
    items.sort(key=_host_name)  # stable: all others stay where they are


def _host_name(item: pytest.Item) -> str:
    if item.path.parent != HERE or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return ""
    host = item.callspec.params.get("host")
    return host.name if isinstance(host, Host) else ""


@pytest.fixture(autouse=True)
def no_stream_is_left() -> Iterator[None]:
    """See that a test's streams have left the registry; other tests' may be in it, not yet collected."""
    before = sa.active_stream_count()
    yield
    assert sa.active_stream_count() <= before


class Running:
    """The server that runs, and its host."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._host: Host | None = None
        self._subject: Subject | None = None

    def subject(self, host: Host) -> Subject:
        if self._subject is None or self._host != host:
            self.stop()
            self._subject = self._stack.enter_context(run(host))
            self._host = host
        self._subject.probe.reset()
        return self._subject

    def stop(self) -> None:
        self._subject = None
        self._stack.close()


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


@pytest.fixture
def subject(host: Host, running: Running) -> Iterator[Subject]:
    """Serve the `Host` that the test is parametrized with."""
    subject = running.subject(host)
    yield subject
    subject.leave()
    if subject.probe.opened != subject.probe.closed:  # a failed test's: the next one is not to find them
        print(subject.server.log())  # noqa: T201  # what pytest shows with a failed test
        running.stop()
