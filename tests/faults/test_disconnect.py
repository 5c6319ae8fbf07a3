"""A client that goes, by RST or by FIN, takes its stream with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from .client import Client
from .harness import Subject
from .hosts import FURTHER_WSGI, HOSTS, on

Record = Callable[[str, object], None]
Leave = Callable[[Client], float]

either_end = pytest.mark.parametrize("leave", [Client.reset, Client.finish], ids=["RST", "FIN"])


@on(HOSTS)
@either_end
def test_a_source_that_ticks_is_closed(subject: Subject, way: str, leave: Leave, record_property: Record) -> None:
    client = subject.stream("ticking", way).read_until(b"tick")
    left_at = leave(client)
    subject.probe.wait_all_closed(1)
    record_property(f"ticking {way} closed, ms", (subject.probe.closed_at - left_at) * 1000)
    assert subject.probe.reasons == {"disconnect": 1}


@on(HOSTS + FURTHER_WSGI, ["async"])
@either_end
def test_an_async_source_that_is_silent_is_closed(
    subject: Subject, way: str, leave: Leave, record_property: Record
) -> None:
    client = subject.stream("idle", way).read_until(b"first")
    left_at = leave(client)
    subject.probe.wait_all_closed(1)
    record_property("silent async closed, ms", (subject.probe.closed_at - left_at) * 1000)
    assert subject.probe.reasons == {"disconnect": 1}


@on(HOSTS, ["sync"])
@either_end
@pytest.mark.parametrize("options", ["unlimited", "keepalive"])
def test_a_sync_source_that_is_silent_is_closed_when_it_returns(
    subject: Subject, way: str, leave: Leave, options: str
) -> None:
    client = subject.stream("idle", way, options).read_until(b"first")
    subject.probe.wait(lambda it: it.waiting)
    leave(client)
    subject.hello()
    assert subject.probe.closed == 0, "its thread is inside it"
    subject.probe.release()
    subject.probe.wait_all_closed(1)
    # "done": by now no server is bound to have seen the client go, and the kernel takes one last item in any case
    assert subject.probe.reasons <= Counter(disconnect=1, done=1)
