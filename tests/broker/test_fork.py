"""A broker belongs to its process: a forked child has its own hub, and its parent's goes on."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import threading
import warnings

import pytest

import stream_adapter as sa
from stream_adapter.testing import listening

from .reading import BOUND


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


def test_threads_of_a_forked_child_wait_until_the_parents_state_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, goes_on = threading.Event(), threading.Event()
    with sa.Broker() as live, listening(live, "a") as heard:
        live.publish("a", 1)
        heard.next()
        of_parent = live._hub()
        reset = live._reset_counts

        def slow_reset() -> None:
            entered.set()
            goes_on.wait(BOUND)
            reset()

        monkeypatch.setattr(live, "_reset_counts", slow_reset)
        live._pid = -1  # as after a fork; threads of a real child could not be watched from here
        hubs: list[object] = []
        threads = [threading.Thread(target=lambda: hubs.append(live._hub())) for _ in range(2)]
        threads[0].start()
        assert entered.wait(BOUND)
        threads[1].start()
        threads[1].join(0.1)
        assert hubs == []
        goes_on.set()
        for thread in threads:
            thread.join(BOUND)
        assert len(hubs) == 2
        assert hubs[0] is hubs[1] is not of_parent
        of_parent.close()
