"""A client that stops reading stops the source: what is produced is bounded by buffers of the kernel and the server."""

from __future__ import annotations

from collections.abc import Callable

from .harness import MIB, Subject
from .hosts import HOSTS, on


@on(HOSTS)
def test_an_endless_source_stops_with_its_client(
    subject: Subject, way: str, record_property: Callable[[str, object], None]
) -> None:
    before = subject.probe.measure()
    client = subject.stream("fast", way).read(65536)
    level = subject.wait_level()
    record_property("produced, MiB", level.produced / MIB)
    assert level.produced < 16 * MIB
    assert level.rss - before.rss < 16 * MIB
    client.read(len(client.received) + 2 * level.produced)  # it goes on with its client, too
    client.reset()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}
