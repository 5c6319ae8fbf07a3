"""A store for each test, on each engine, and brokers on it: two brokers on one store stand for two processes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from stream_adapter import Broker
from tests.support.redis_server import RedisServer, binary_of

Peer: TypeAlias = Callable[[], Broker]

ENGINES = ("memory", "valkey", "sqlite")


@pytest.fixture(scope="session")
def valkey() -> Iterator[RedisServer]:
    if binary_of("valkey") is None:
        pytest.skip("needs a Valkey server")
    with RedisServer("valkey") as server:
        yield server


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that no other test uses."""
    if engine == "valkey":
        server: RedisServer = request.getfixturevalue("valkey")
        return server.url
    return f"sqlite:///{tmp_path / 'broker.db'}" if engine == "sqlite" else "memory://"


@pytest.fixture
def peer(url: str) -> Iterator[Peer]:
    """Make another broker on the store, as another process has it; memory has one process, and one broker."""
    made: list[Broker] = []
    prefix = secrets.token_hex(4)

    def make() -> Broker:
        if not made or url != "memory://":
            made.append(Broker(url, prefix=prefix))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def live(peer: Peer) -> Broker:
    return peer()
