"""The testing kit's fixtures. pytest loads this module in every project where it is installed, so it imports nothing.

    def test_ticks(stream_client):
        with stream_client(app).stream("GET", "/ticks") as response:
            assert next(events(response)).data == "0"

    def test_by_a_real_server(live_server):
        assert httpx2.get(f"{live_server(app).url}/").status_code == 200

pytest-django and pytest-flask have a fixture `live_server` too. If one of them is installed, its fixture is used.
To use the fixture of this package for the tests of a folder, import it in the conftest.py there:

    from stream_adapter_pytest.servers import live_server
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx2

    from stream_adapter import Broker
    from stream_adapter.types import ASGIApp, WSGIApp

__all__ = ["async_stream_client", "memory_broker", "stream_client"]


def pytest_configure(config: pytest.Config) -> None:
    """Add `live_server`, unless a plugin has one of its own."""
    plugins = config.pluginmanager
    if not any(hasattr(plugin, "live_server") for plugin in plugins.get_plugins()):
        from . import servers  # noqa: PLC0415  # a module is a plugin, which can be registered or not

        plugins.register(servers, servers.__name__)


@pytest.fixture
def stream_client() -> Iterator[Callable[..., httpx2.Client]]:
    """Return `stream_client(app, **options)` of stream_adapter.testing, whose clients are entered and closed."""
    from stream_adapter import testing  # noqa: PLC0415  # nothing is imported by tests that do not stream

    with ExitStack() as stack:

        def enter(app: WSGIApp | ASGIApp, **options: Any) -> httpx2.Client:
            return stack.enter_context(testing.stream_client(app, **options))

        yield enter


@pytest.fixture
def async_stream_client() -> Callable[..., httpx2.AsyncClient]:
    """Return `async_stream_client(app, **options)` of stream_adapter.testing, to be entered on the test's loop."""
    from stream_adapter import testing  # noqa: PLC0415  # nothing is imported by tests that do not stream

    return testing.async_stream_client


@pytest.fixture
def memory_broker() -> Iterator[Broker]:
    """Return a `Broker("memory://")` of the test's own, which is closed after it."""
    from stream_adapter import Broker  # noqa: PLC0415  # nothing is imported by tests that do not stream

    with Broker("memory://") as broker:
        yield broker
