"""A source that never awaits shares the loop all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from .asgi_hosts import each_host
from .harness import Client, Subject

Record = Callable[[str, object], None]


@each_host
@pytest.mark.parametrize("name", ["rows", "fast"])
def test_other_requests_are_answered_while_its_client_reads_stalls_and_resets(
    subject: Subject, name: str, record_property: Record
) -> None:
    client = subject.stream(name, "async")
    reader = threading.Thread(target=client.read, args=(16 * 1024 * 1024,))
    reader.start()
    record_property("answered while it is read, ms", _answered_after(subject))
    reader.join()
    subject.wait_level()
    record_property("answered while it stalls, ms", _answered_after(subject))
    left_at = client.reset()
    record_property("answered after its reset, ms", _answered_after(subject))
    subject.probe.wait_all_closed(1)
    record_property("closed after, ms", (subject.probe.closed_at - left_at) * 1000)
    assert subject.probe.reasons == {"disconnect": 1}


def _answered_after(subject: Subject) -> float:
    asked_at = time.monotonic()
    subject.hello()
    return (time.monotonic() - asked_at) * 1000


@each_host
def test_it_is_closed_when_its_client_resets_while_it_reads(subject: Subject) -> None:
    client: Client = subject.stream("rows", "async").read(1024 * 1024)
    client.reset()
    subject.hello()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}
