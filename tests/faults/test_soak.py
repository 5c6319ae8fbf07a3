"""Many streams of every kind for a long time, and nothing grows. Run by `pytest -m soak`: twelve minutes.

The clients come in rounds, and between two rounds, when every stream is closed, the process is measured. What grows
with the number of streams is a leak: half a KiB per stream, or half a descriptor or thread in a thousand, is too much.
That as little is noticed is shown first, by an application which leaks twice that.

FAULTS_SOAK_HOSTS    which hosts, by name, with commas between them
FAULTS_SOAK_SECONDS  how long on each
FAULTS_SOAK_STREAMS  how many streams at a time
"""

from __future__ import annotations

import os
import random
import statistics
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from .harness import Host, Subject, run
from .hosts import named
from .probe import Resources

pytestmark = pytest.mark.soak

HOSTS = [named(name) for name in os.environ.get("FAULTS_SOAK_HOSTS", "uvicorn-plain").split(",")]
SECONDS = float(os.environ.get("FAULTS_SOAK_SECONDS", "600"))
AT_ONCE = int(os.environ.get("FAULTS_SOAK_STREAMS", "500"))
ROUNDS = 30
WARM_UP = 10  # rounds
OPTIONS = {"gthread": ("--threads", str(AT_ONCE)), "waitress": (f"threads={AT_ONCE}",)}


@dataclass(frozen=True)
class Growth:
    """What a stream leaves behind: the slope of the straight line through all measures after the warm-up.

    Attributes:
        streams: how many there were.
        rss: bytes per stream.
        threads: in a thousand streams.
        fds: in a thousand streams.
    """

    streams: int
    rss: float
    threads: float
    fds: float

    @classmethod
    def between(cls, counts: list[int], measures: list[Resources]) -> Growth:
        counts, measures = counts[WARM_UP:], measures[WARM_UP:]

        def slope(name: str) -> float:
            return statistics.linear_regression(counts, [getattr(measure, name) for measure in measures]).slope

        return cls(counts[-1], slope("rss"), 1000 * slope("threads"), 1000 * slope("fds"))

    @property
    def leaks(self) -> set[str]:
        """What grows, by name."""
        limits = {"rss": 512, "threads": 0.5, "fds": 0.5}
        return {name for name, limit in limits.items() if getattr(self, name) > limit}


def _soak(host: Host, seconds: float, **env: str) -> Growth:
    with run(host, *OPTIONS.get(host.server, ()), FAULTS_WITH_GC="1", **env) as subject:
        counts: list[int] = []
        measures: list[Resources] = []
        for number in range(ROUNDS):
            counts.append(sum(counts[-1:]) + _round(subject, seconds / ROUNDS, number))
            subject.probe.wait(lambda it: it.opened == it.closed == it.reasons.total() == counts[-1])
            measures.append(subject.wait_still())
        subject.hello()
    return Growth.between(counts, measures)


def _round(subject: Subject, seconds: float, number: int) -> int:
    """Have clients come and go for a while; return how many streams that were."""
    stop = threading.Event()

    def be_clients(seed: int) -> int:
        chance, count = random.Random(seed), 0
        while not stop.is_set():
            _be_a_client(subject, chance)
            count += 1
        return count

    with ThreadPoolExecutor(AT_ONCE) as pool:
        clients = [pool.submit(be_clients, number * AT_ONCE + seed) for seed in range(AT_ONCE)]
        stop.wait(seconds)
        stop.set()
    return sum(client.result() for client in clients)


def _be_a_client(subject: Subject, chance: random.Random) -> None:
    """One in five leaves in the middle; one source in twenty raises."""
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


@pytest.mark.parametrize("leak", ["rss", "fds"])
def test_soak_notices_a_source_that_leaks(leak: str, record_property: Callable[[str, object], None]) -> None:
    growth = _soak(named("uvicorn-plain"), 60, FAULTS_LEAK=leak)
    record_property("growth", str(growth))
    assert growth.leaks == {leak}


@pytest.mark.parametrize("host", HOSTS, ids=[host.name for host in HOSTS])
def test_memory_descriptors_and_threads_do_not_grow_under_load(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    growth = _soak(host, SECONDS)
    record_property("growth", str(growth))
    assert growth.leaks == set()
