"""What each run has: workers where it is long, bytecode for the processes that it starts, and what will be skipped."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import programs, selection

# Each worker compiles and rewrites each test module, and each server that a test starts compiles the library. Without
# the cache this is half of the run's CPU time, and a container often sets PYTHONDONTWRITEBYTECODE.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Distribute; accept the options of pytest-xdist, which `addopts` gives, under `-p no:xdist` as well."""
    if pluginmanager.hasplugin("xdist"):
        pluginmanager.import_plugin("tests.support.distribution")
        return
    for option in ("--numprocesses", "--dist"):
        parser.addoption(option, help="ignored without pytest-xdist")
    parser.addoption("--no-loadscope-reorder", action="store_true", help="ignored without pytest-xdist")


def pytest_configure(config: pytest.Config) -> None:
    """Let the HTTP clients of a default run find no certificates: each would read all of them, which takes 20 ms."""
    if selection.is_default(config):
        os.environ.pop("SSL_CERT_FILE", None)  # the servers are on 127.0.0.1
        os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect no garbage among the imports; leave what a whole run has imported out of each later collection, too."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        if session.testscollected > 1000:
            gc.freeze()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say what will be skipped, under -q as well, where pytest prints no header."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or "PYTEST_XDIST_WORKER" in os.environ:
        return
    for line in programs.missing():
        reporter.write_line(line, yellow=True)
