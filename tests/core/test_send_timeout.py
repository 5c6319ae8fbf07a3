"""send_timeout ends the stream of a client that acknowledges nothing, not of a server whose `send` takes long."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

from stream_adapter._serve import client_sockets, send_timeout
from stream_adapter._serve.send_timeout import SendWatch
from stream_adapter.integration import RequestHead

CLIENT = ("127.0.0.1", 40_000)
LIMIT = 60.0
MIB = 1024 * 1024


def looks(
    acknowledged: Callable[[float], int | None],
    *,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    handed: int = 0,
    client: tuple[str, int] | None = CLIENT,
) -> float | None:
    """Look once per second at a `send` that began at 0; return when the timeout passed."""
    now = 0.0

    def answer(_: object) -> int | None:
        return acknowledged(now)

    monkeypatch.setattr(send_timeout, "acknowledged_by", answer)

    async def look() -> float | None:
        nonlocal now
        watch = SendWatch(client, LIMIT, lambda: None)
        watch.begin_send(handed)
        try:
            for second in range(seconds):
                now = float(second)
                if watch.is_stalled(0.0, now):
                    return now
        finally:
            watch.timer.cancel()
        return None

    return asyncio.run(look())


def test_client_that_acknowledges_nothing_reaches_send_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    at = looks(lambda _: 1_000, monkeypatch=monkeypatch, seconds=1_000)
    assert at is not None
    assert LIMIT <= at <= 1.5 * LIMIT


def test_client_that_acknowledges_64_kib_in_16_seconds_is_kept_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(lambda now: int(now // 16) * 65536, monkeypatch=monkeypatch, seconds=3_600) is None


def test_client_that_stops_later_reaches_send_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    at = looks(lambda now: int(min(now, 300)), monkeypatch=monkeypatch, seconds=1_000)
    assert at == pytest.approx(300 + LIMIT, abs=1)


@pytest.mark.parametrize(
    ("handed", "at_least", "at_most"),
    [(0, 60, 61), (65536, 60, 70), (64 * MIB, 500, 600)],
    ids=["head", "block", "much"],
)
@pytest.mark.parametrize("client", [None, CLIENT], ids=["unknown", "not found"])
def test_send_timeout_without_a_socket_allows_for_the_kernels_buffer(
    client: tuple[str, int] | None, handed: int, at_least: float, at_most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = looks(lambda _: None, monkeypatch=monkeypatch, seconds=1_000, handed=handed, client=client)
    assert at is not None
    assert at_least <= at <= at_most


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel counts on Linux")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_connection_is_found_by_its_client_and_left_open(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family is socket.AF_INET else "::1"
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        server, (address, port, *_) = listener.accept()
        time.sleep(client_sockets.FRESH)  # what other tests have listed is old by then
        before = client_sockets.acknowledged_by((address, port))
        server.sendall(b"abc")
        assert client.recv(3) == b"abc"
        after = client_sockets.acknowledged_by((address, port))
        assert before is not None
        assert after is not None
        assert after >= before
        server.sendall(b"still open")
        assert client.recv(10) == b"still open"
        server.close()
        assert client_sockets.acknowledged_by((address, port)) is None


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (("127.0.0.1", 40_000), CLIENT),
        (["127.0.0.1", "40000"], CLIENT),
        (("203.0.113.9", 0), None),
        (("/run/socket", None), None),
        (None, None),
    ],
)
def test_client_of_a_scope_is_an_address_or_not_known(given: object, address: object) -> None:
    assert RequestHead.from_scope({"type": "http", "client": given}).client == address


@pytest.mark.parametrize("version", ["2", "3"])
def test_client_of_a_connection_of_many_streams_is_not_known(version: str) -> None:
    scope = {"type": "http", "client": ("127.0.0.1", 50000), "http_version": version}
    assert RequestHead.from_scope(scope).client is None
