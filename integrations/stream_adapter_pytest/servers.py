"""The fixture `live_server`, in a separate module, so that a fixture of another plugin can replace it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stream_adapter.testing import LiveServer
    from stream_adapter.types import ASGIApp, WSGIApp

__all__ = ["live_server"]


@pytest.fixture
def live_server() -> Iterator[Callable[[WSGIApp | ASGIApp], LiveServer]]:
    """Return `live_server(app)`, which serves an application until the test ends, and has its `url`."""
    from stream_adapter.testing import LiveServer  # noqa: PLC0415  # nothing is imported by tests that do not stream

    with ExitStack() as stack:

        def serve(app: WSGIApp | ASGIApp) -> LiveServer:
            return stack.enter_context(LiveServer(app))

        yield serve
