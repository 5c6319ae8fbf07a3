"""What each run has: workers where it is long, bytecode for the processes that it starts, and what will be skipped."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

from tests.support import programs

# Each worker compiles and rewrites each test module, and each server that a test starts compiles the library. Without
# the cache this is half of the run's CPU time, and a container often sets PYTHONDONTWRITEBYTECODE.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

WORKERS_PER_CORE = 3  # most of the time is spent waiting


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Accept the options of pytest-xdist, which `addopts` gives, under `-p no:xdist` as well."""
    if not pluginmanager.hasplugin("xdist"):
        for option in ("--numprocesses", "--dist"):
            parser.addoption(option, help="ignored without pytest-xdist")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Distribute a run of all tests. Fewer run in this process: the imports of N workers take longer than they do."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # which xdist reads
    named = {Path(config.invocation_params.dir, argument).resolve() for argument in config.args}
    is_all = bool(named & {config.rootpath, config.rootpath / "tests"})
    is_default = config.option.markexpr in config.getini(
        "addopts"
    )  # other marks measure, or load the machine themselves
    return WORKERS_PER_CORE * (os.cpu_count() or 1) if is_all and is_default else 0


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave the modules and the tests of a whole run out of each garbage collection, which takes long with so many."""
    if len(session.items) > 1000:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Collect all garbage again."""
    gc.unfreeze()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say what will be skipped, under -q as well, where pytest prints no header."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or "PYTEST_XDIST_WORKER" in os.environ:
        return
    for line in programs.missing():
        reporter.write_line(line, yellow=True)
