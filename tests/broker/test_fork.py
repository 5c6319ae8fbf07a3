"""A broker belongs to its process: a forked child has its own hub, and its parent's goes on."""

from __future__ import annotations

import os
import warnings

import pytest

import stream_adapter as sa


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the other threads are why this is tested
def test_forked_child_publishes_and_subscribes_and_the_parent_goes_on() -> None:
    with sa.Broker() as live:
        events = iter(live.subscribe("a", since=live.last_event_id("a")))
        live.publish("a", 1)
        assert next(events).data == 1
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # memory:// says that it does not reach the parent
                live.publish("a", 2)
                heard = next(iter(live.subscribe("a", replay=1)))
                os.write(writer, f"{heard.data} {live.stats().listeners}".encode())
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(writer)
        with open(reader, "rb") as said:
            assert said.read().startswith(b"2 ")
        live.publish("a", 3)
        assert next(events).data == 3
