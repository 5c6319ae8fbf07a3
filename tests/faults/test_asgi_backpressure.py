"""A client that stops reading stops the source: what is produced is bounded by the kernel's buffers, not by memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .asgi_hosts import CVE_2024_12254, HOSTS, each_host, either_way
from .harness import MIB, Subject


@each_host
@either_way
def test_an_endless_source_stops_with_its_client(
    subject: Subject, way: str, record_property: Callable[[str, object], None]
) -> None:
    before = subject.probe.measure()
    client = subject.stream("fast", way).read(65536)
    level = subject.wait_level()
    record_property("produced, MiB", level.produced / MIB)
    record_property("RSS gained, MiB", (level.rss - before.rss) / MIB)
    assert level.produced < 16 * MIB
    assert level.rss - before.rss < 16 * MIB
    client.reset()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}


@pytest.mark.skipif(
    CVE_2024_12254, reason="CVE-2024-12254: this Python's asyncio has no bound for what gunicorn writes"
)
def test_gunicorn_is_among_the_hosts() -> None:
    assert "gunicorn" in HOSTS
