"""What the kernel knows of a connection: who has gone, how much waits for the client, and a reset."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from stream_adapter._tcp import Peer, acknowledged_bytes, can_send, peer, reset, shut_down, stop_receiving, unsent_bytes
from tests.support.gate import BOUND

Pair = tuple[socket.socket, socket.socket]


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), BOUND)
        server, _ = listener.accept()
    server.settimeout(BOUND)
    return server, client


@pytest.fixture(params=[tcp_pair, socket.socketpair], ids=["TCP", "Unix"])
def pair(request: pytest.FixtureRequest) -> Generator[Pair]:
    server, client = request.param()
    with server, client:
        yield server, client


@pytest.fixture
def tcp() -> Generator[Pair]:
    server, client = tcp_pair()
    with server, client:
        yield server, client


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + BOUND
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # the kernel announces nothing that a test could wait for


def test_unread_bytes_do_not_hide_a_fin(pair: Pair) -> None:
    server, client = pair
    client.send(b"GET /next")
    assert peer(server) is Peer.OPEN
    client.shutdown(socket.SHUT_WR)
    wait_for(lambda: peer(server) is Peer.HALF_CLOSED)
    server.send(b"the client still reads")
    assert client.recv(100) == b"the client still reads"
    assert peer(server) is Peer.HALF_CLOSED
    assert server.recv(100) == b"GET /next"


def test_closed_connection_is_gone_once_something_was_sent(tcp: Pair) -> None:
    server, client = tcp
    client.close()
    wait_for(lambda: peer(server) is Peer.HALF_CLOSED)
    server.send(b"x")
    wait_for(lambda: peer(server) is Peer.CLOSED)


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the system does not say what its owner did to a socket")
@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
def test_socket_that_its_owner_has_shut_down_is_gone(tcp: Pair, how: int) -> None:
    server, client = tcp
    server.shutdown(how)
    assert peer(server) is Peer.CLOSED
    client.close()
    assert peer(server) is Peer.CLOSED


def test_socket_that_is_closed_here_is_gone(pair: Pair) -> None:
    server, _ = pair
    server.close()
    assert peer(server) is Peer.CLOSED
    with pytest.raises(OSError, match="Bad file descriptor"):
        unsent_bytes(server)


def test_descriptor_above_1023_is_seen_as_any_other() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        with ExitStack() as stack:
            for _ in range(1024):
                stack.enter_context(socket.socket())
            for make in (tcp_pair, socket.socketpair):
                server, client = make()
                stack.enter_context(server)
                with client:
                    assert server.fileno() > 1023
                    assert peer(server) is Peer.OPEN
                    assert can_send(server)
                wait_for(lambda server=server: peer(server) is not Peer.OPEN)  # type: ignore[misc]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_unsent_bytes_grow_while_the_client_reads_nothing(pair: Pair) -> None:
    server, client = pair
    server.setblocking(False)
    assert unsent_bytes(server) == 0
    assert can_send(server)
    try:
        while True:
            server.send(bytes(1 << 20))
    except BlockingIOError:
        waiting = unsent_bytes(server)
    assert waiting
    assert unsent_bytes(server.fileno())
    assert not can_send(server)
    while unsent_bytes(server):
        client.recv(1 << 20)
    assert can_send(server)


def test_acknowledged_bytes_grow_as_the_client_reads(tcp: Pair) -> None:
    server, _client = tcp
    assert acknowledged_bytes(server) == 0
    server.send(b"12345")
    wait_for(lambda: acknowledged_bytes(server) == 5)
    near, far = socket.socketpair()
    with near, far:
        assert acknowledged_bytes(near) is None


def test_reset_wakes_a_blocked_send_and_is_seen_by_the_client(tcp: Pair) -> None:
    server, client = tcp
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(server.sendall, bytes(1 << 26))
        wait_for(lambda: not can_send(server))
        reset(server)
        with pytest.raises(ConnectionError):
            sent.result(BOUND)
    with pytest.raises(ConnectionResetError):
        while client.recv(1 << 20):
            pass


def test_reset_sends_no_fin_when_the_owner_closes(tcp: Pair) -> None:
    server, client = tcp
    reset(server)
    with pytest.raises(ConnectionResetError):  # as of a client that resets
        server.send(b"x")
    with pytest.raises(BrokenPipeError):
        server.send(b"x")
    assert server.recv(1) == b""
    with pytest.raises(OSError, match="not connected"):
        server.shutdown(socket.SHUT_WR)
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_shut_down_socket_delivers_the_bytes_sent_before(pair: Pair) -> None:
    server, client = pair
    server.send(b"sent")
    shut_down(server)
    with pytest.raises(BrokenPipeError):
        server.send(b"more")
    assert client.recv(100) == b"sent"
    assert client.recv(100) == b""


@pytest.mark.parametrize("end", [reset, shut_down])
def test_ending_a_closed_socket_does_nothing(pair: Pair, end: Callable[[socket.socket], None]) -> None:
    server, _ = pair
    server.close()
    end(server)


def test_nothing_that_is_sent_after_stop_receiving_is_received_and_the_answer_still_is(tcp: Pair) -> None:
    server, client = tcp
    client.settimeout(BOUND)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.recv, 100)
        stop_receiving(server)
        assert waiting.result() == b""
    client.send(b"the rest of a body, or a next request")
    server.send(b"the answer")
    assert client.recv(100) == b"the answer"
    wait_for(lambda: unsent_bytes(server) == 0)  # segments that acknowledge still pass
    assert server.recv(100) == b""


def test_connection_is_reset_by_stop_receiving_where_the_kernel_takes_no_filter(
    tcp: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_adapter._tcp._SO_ATTACH_FILTER", -1)
    server, client = tcp
    stop_receiving(server)
    with pytest.raises(ConnectionResetError):
        client.recv(100)
