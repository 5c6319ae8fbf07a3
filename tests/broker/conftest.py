"""A broker for each test, on each engine: an engine joins by a line of ENGINES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from stream_adapter import Broker
from stream_adapter.engines import Engine, MemoryEngine

MakeBroker: TypeAlias = Callable[..., Broker]

ENGINES: dict[str, Callable[[], str | Engine]] = {
    "memory": MemoryEngine,
}


@pytest.fixture(params=ENGINES)
def make_broker(request: pytest.FixtureRequest) -> Iterator[MakeBroker]:
    """Make brokers with options, which are closed after the test; several of them have stores of their own."""
    made: list[Broker] = []

    def make(**options: Any) -> Broker:
        made.append(Broker(ENGINES[request.param](), **options))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def live(make_broker: MakeBroker) -> Broker:
    return make_broker()
