"""Many streams of every kind for a long time: after a while to warm up, nothing grows. Run by `pytest -m soak`."""

from __future__ import annotations

import os
import random
import statistics
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from .asgi_hosts import HOSTS
from .harness import MIB, Host, Resources, Subject, run

SECONDS = float(os.environ.get("FAULTS_SOAK_SECONDS", "600"))
AT_ONCE = int(os.environ.get("FAULTS_SOAK_STREAMS", "500"))
SAMPLES = 60


def _one_stream(subject: Subject, chance: random.Random) -> None:
    """Be a client: one in five leaves in the middle, one source in twenty raises."""
    way = chance.choice(["sync", "async"])
    kind = chance.random()
    if kind < 0.2:
        client = subject.stream(chance.choice(["fast", "ticking"]), way).read(1000)
    elif kind < 0.25:
        client = subject.stream("raising", way).read_to_the_end()
    else:
        client = subject.stream("finite", way).read_to_the_end()
        assert client.complete
    subject.forget(client)


def _slope(values: list[float]) -> float:
    """Return how much a series grows from its beginning to its end, by the straight line through it."""
    return statistics.linear_regression(range(len(values)), values).slope * len(values)


@pytest.mark.soak
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_nothing_grows(host: Host, record_property: Callable[[str, object], None]) -> None:
    with run(host.serve, host.app, FAULTS_WITH_GC="1") as subject, ThreadPoolExecutor(AT_ONCE) as pool:
        stop = threading.Event()

        def be_a_client(seed: int) -> int:
            chance, count = random.Random(seed), 0
            while not stop.is_set():
                _one_stream(subject, chance)
                count += 1
            return count

        clients = [pool.submit(be_a_client, seed) for seed in range(AT_ONCE)]
        samples: list[Resources] = []
        try:
            for _ in range(SAMPLES):
                stop.wait(SECONDS / SAMPLES)
                samples.append(subject.probe.measure())
        finally:
            stop.set()
        count = sum(client.result() for client in clients)
        subject.probe.wait(lambda it: it.opened == it.closed == count)
        warm = samples[SAMPLES // 3 :]
        growth = {name: _slope([getattr(sample, name) for sample in warm]) for name in ("rss", "threads", "fds")}
        record_property("streams", count)
        record_property("RSS grown, MiB", growth["rss"] / MIB)
        record_property("threads grown", growth["threads"])
        record_property("descriptors grown", growth["fds"])
        assert growth["rss"] < 32 * MIB
        assert growth["threads"] < AT_ONCE / 4
        assert growth["fds"] < AT_ONCE / 4
        subject.hello()
