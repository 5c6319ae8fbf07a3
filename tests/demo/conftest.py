"""The demo, started once for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .support import Demo, running


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running("--port", "0") as demo:
        yield demo
