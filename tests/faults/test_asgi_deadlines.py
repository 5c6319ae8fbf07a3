"""Each deadline ends its stream with its own reason, and closes the source."""

from __future__ import annotations

import pytest

from .asgi_hosts import HOSTS, each_host, either_way
from .harness import Subject


@each_host
@either_way
def test_a_source_that_is_silent_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("idle", way, "idle_timeout").read_to_the_end()
    subject.probe.wait(lambda it: it.reasons == {"idle_timeout": 1})
    assert not client.complete
    subject.probe.release()
    subject.probe.wait_all_closed(1)


@each_host
@either_way
def test_a_stream_that_lives_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("ticking", way, "total_timeout").read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert not client.complete
    assert subject.probe.reasons == {"total_timeout": 1}


_WITH_SEND = {name: host for name, host in HOSTS.items() if name != "Flask"}  # a WSGI application does not see `send`


@pytest.mark.parametrize("subject", _WITH_SEND.values(), ids=_WITH_SEND, indirect=True)
@either_way
def test_a_client_that_takes_nothing_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("fast", way, "send_timeout").read(65536)
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"send_timeout": 1}
    assert not client.read_to_the_end().complete


_NO_THREAD_OF_ITS_OWN = "a WSGI application closes a sync source in its own thread, which waits for it"


@pytest.mark.parametrize(
    ("subject", "way"),
    [
        pytest.param(
            host,
            way,
            id=f"{name}-{way}",
            marks=[pytest.mark.skip(_NO_THREAD_OF_ITS_OWN)] if (name, way) == ("Flask", "sync") else [],
        )
        for name, host in HOSTS.items()
        for way in ("sync", "async")
    ],
    indirect=["subject"],
)
def test_a_source_that_takes_too_long_to_close_is_left_to_itself(subject: Subject, way: str) -> None:
    client = subject.stream("stubborn", way, "close_timeout").read_until(b"first")
    client.reset()
    subject.probe.wait(lambda it: it.reasons == {"disconnect": 1})
    assert subject.probe.closed == 0
    subject.probe.release()
    subject.probe.wait_all_closed(1)
