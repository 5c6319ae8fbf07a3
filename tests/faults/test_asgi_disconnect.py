"""A client that goes, by RST or by FIN, takes its stream with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from .asgi_hosts import each_host
from .harness import Client, Subject

Record = Callable[[str, object], None]

either_end = pytest.mark.parametrize("leave", [Client.reset, Client.finish], ids=["RST", "FIN"])


@each_host
@either_end
@pytest.mark.parametrize("name", ["ticking", "idle"])
def test_an_async_source_is_closed(
    subject: Subject, name: str, leave: Callable[[Client], float], record_property: Record
) -> None:
    client = subject.stream(name, "async").read_until(b"tick" if name == "ticking" else b"first")
    left_at = leave(client)
    subject.probe.wait_all_closed(1)
    record_property("closed after, ms", (subject.probe.closed_at - left_at) * 1000)
    assert subject.probe.reasons == {"disconnect": 1}


@each_host
@either_end
def test_a_sync_source_is_closed_at_its_next_item(
    subject: Subject, leave: Callable[[Client], float], record_property: Record
) -> None:
    client = subject.stream("ticking", "sync").read_until(b"tick")
    left_at = leave(client)
    subject.probe.wait_all_closed(1)
    record_property("closed after, ms", (subject.probe.closed_at - left_at) * 1000)
    assert subject.probe.reasons == {"disconnect": 1}


@each_host
@either_end
def test_a_sync_source_that_is_silent_is_closed_when_it_returns(
    subject: Subject, leave: Callable[[Client], float]
) -> None:
    client = subject.stream("idle", "sync").read_until(b"first")
    leave(client)
    subject.hello()
    assert subject.probe.closed == 0, "its thread is inside it"
    subject.probe.release()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons <= Counter(disconnect=1, done=1), "done: no server is bound to have told us by now"
