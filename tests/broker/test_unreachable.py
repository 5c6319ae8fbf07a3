"""A server that does not even refuse: nothing answers where its address is, as behind a firewall that drops packets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

import stream_adapter as sa

from .reading import BOUND

TIMEOUT = 1.5  # seconds of publishing
PUBLISHERS = 12  # more than there are connections


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port whose queue of connections is full: what else connects is not answered."""
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            client = sockets.enter_context(socket.socket())
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(server.getsockname())
        yield server.getsockname()[1]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/0", "postgresql://user@127.0.0.1:{}/database"])
def test_publishers_who_wait_for_each_other_and_then_connect_take_one_timeout(url: str, port: int) -> None:
    outcomes: list[tuple[type[Exception], float]] = []

    def publish() -> None:
        began = time.monotonic()
        try:
            live.publish("a", 1)
        except Exception as error:
            outcomes.append((type(error), time.monotonic() - began))

    with sa.Broker(url.format(port), publish_timeout=TIMEOUT) as live:
        threads = [threading.Thread(target=publish) for _ in range(PUBLISHERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
    assert {kind for kind, _ in outcomes} == {sa.BrokerUnavailableError}
    assert len(outcomes) == PUBLISHERS
    assert max(seconds for _, seconds in outcomes) < 1.9 * TIMEOUT
