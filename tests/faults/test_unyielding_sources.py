"""A source that never awaits still shares its loop: the server's, or under WSGI the background loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from .client import Client
from .harness import MIB, Subject
from .hosts import HOSTS, on

Record = Callable[[str, object], None]


@on(HOSTS, ["async"])
@pytest.mark.parametrize("name", ["rows", "fast"])
def test_other_requests_are_answered_while_its_client_reads_stalls_and_resets(
    subject: Subject, way: str, name: str, record_property: Record
) -> None:
    client = subject.stream(name, way)
    reader = threading.Thread(target=client.read, args=(16 * MIB,))
    reader.start()
    record_property("other request answered, ms", _answered_after(subject))
    reader.join()
    subject.wait_level()
    record_property("other request answered, ms", _answered_after(subject))
    client.reset()
    record_property("other request answered, ms", _answered_after(subject))
    subject.probe.wait_all_closed(4)
    assert subject.probe.reasons == {"disconnect": 1, "done": 3}


def _answered_after(subject: Subject) -> float:
    """Have another request answered, and another stream of the same loop come to its end; return the former's time."""
    asked_at = time.monotonic()
    subject.hello()
    answered_at = time.monotonic()
    assert subject.stream("finite", "async").read_to_the_end().complete
    return (answered_at - asked_at) * 1000


@on(HOSTS, ["async"])
def test_source_is_closed_when_its_client_resets_while_it_reads(subject: Subject, way: str) -> None:
    client: Client = subject.stream("rows", way).read(MIB)
    client.reset()
    subject.hello()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}
