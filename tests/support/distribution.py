"""A plugin beside pytest-xdist: how many workers there are, and which tests each runs, with those that take long first.

pytest-xdist gives a unit to one worker: a file, or the files that share what starts once for all of them.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from xdist.remote import Producer  # pyright: ignore[reportMissingTypeStubs]
from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

from tests.support.selection import is_whole

WORKERS_PER_CORE = 4  # more than half of the time is spent waiting; a worker costs 5 s of CPU time, to collect

# What shares the fixtures of a package: a browser and servers, which would start once in each worker
TOGETHER = {
    "tests/browser/test_demo_scenes.py": "tests/browser: pages of the demo",
    "tests/browser/test_demo_page.py": "tests/browser: pages of the demo",
    "tests/browser/test_chat.py": "tests/browser: pages of the demo",
    "tests/browser/": "tests/browser: streams",
    "tests/clients/": "tests/clients",
}
# What takes long, with the longest first. The others follow by their number of tests.
LONG = (
    "tests/browser: pages of the demo",
    "tests/browser: streams",
    "tests/test_docs.py",
    "tests/clients",
    "tests/benchmarks/test_benchmarks.py",
    "tests/runs/test_job_queues.py",
    "tests/test_examples.py",
    "tests/broker/test_publishers.py",
    "tests/contract/test_contract.py",
    "tests/broker/test_redis_workers.py",
    "tests/runs/test_ending.py",
    "tests/faults/test_deadlines.py",
    "tests/broker/test_workers.py",
    "tests/broker/test_subscribe.py",
    "tests/demo/test_scenes.py",
    "tests/check/test_command.py",
    "tests/adapters/test_servers.py",
    "tests/middleware/test_faults.py",
    "tests/faults/test_leaks.py",
    "tests/testing/test_assertions.py",
    "tests/check/test_parallel.py",
    "tests/faults/test_wsgi_clients.py",
    "tests/files/test_servers.py",
    "tests/faults/test_error_reporters.py",
    "tests/runs/test_processes.py",
    "tests/check/test_compression.py",
    "tests/adapters/test_slow_clients.py",
    "tests/security/test_withheld_bodies.py",
    "tests/runs/test_job_queue_examples.py",
)


class ByUnit(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each unit to one worker, in the order of the collection (`--no-loadscope-reorder`)."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """Return the file of a test, or the group of its file."""
    file = nodeid.partition("::")[0]
    return next((unit for start, unit in TOGETHER.items() if file.startswith(start)), file)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Distribute a run of all tests. Fewer run in this process: the imports of N workers take longer than they do."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # which xdist reads
    return WORKERS_PER_CORE * (os.cpu_count() or 1) if is_whole(config) else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Distribute by units, unless another way is asked for."""
    return ByUnit(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order a worker's tests by when their units begin."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    units = {item: unit_of(item.nodeid) for item in items}
    counts = Counter(units.values())
    ranks = {unit: (LONG.index(unit) if unit in LONG else len(LONG), -counts[unit], unit) for unit in counts}
    items.sort(key=lambda item: ranks[units[item]])
