"""Each deadline ends its stream with its own reason, and closes the source."""

from __future__ import annotations

from .harness import MIB, Subject
from .hosts import ASGI, FURTHER_WSGI, HOSTS, WSGI, on


@on(HOSTS)
def test_a_source_that_is_silent_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("idle", way, "idle_timeout").read_to_the_end()
    subject.probe.wait(lambda it: it.reasons == {"idle_timeout": 1})
    assert not client.complete
    subject.probe.release()
    subject.probe.wait_all_closed(1)


@on(HOSTS)
def test_a_stream_that_lives_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("ticking", way, "total_timeout").read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert not client.complete
    assert subject.probe.reasons == {"total_timeout": 1}


# behind a middleware and in a WSGI application, `send` is not the server's
_WITH_SEND = [host for host in ASGI if host.framework not in {"middleware", "Flask"}]


@on(_WITH_SEND)
def test_client_that_reads_nothing_is_disconnected_after_send_timeout(subject: Subject, way: str) -> None:
    client = subject.stream("fast", way, "send_timeout").read(65536)
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"send_timeout": 1}
    assert not client.read_to_the_end().complete


@on([*_WITH_SEND, *WSGI, *FURTHER_WSGI])
def test_stream_that_lives_for_too_long_ends_while_its_server_waits_for_a_stalled_client(
    subject: Subject, way: str
) -> None:
    client = subject.stream("fast", way, "total_timeout_1", buffer=65536).read(65536)
    subject.probe.wait(lambda it: it.reasons == {"total_timeout": 1})
    subject.probe.wait_all_closed(1)
    assert not client.read_to_the_end().complete


# A second stands for the default minute, 1.25 MB a second for 20 KB: the kernel's buffers alone hold more than that
@on(ASGI, ["async"])
def test_client_that_reads_steadily_gets_the_whole_body_however_slow_it_is(subject: Subject, way: str) -> None:
    client = subject.stream("large", way, "send_timeout_1", buffer=16384)
    size = client.read_at(1_250_000)
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"done": 1}
    assert size > 8 * MIB
    assert client.complete


@on(HOSTS)
def test_a_source_that_takes_too_long_to_close_is_left_to_itself(subject: Subject, way: str) -> None:
    client = subject.stream("stubborn", way, "close_timeout").read_until(b"first")
    client.reset()
    subject.probe.wait(lambda it: it.reasons == {"disconnect": 1})
    assert subject.probe.closed == 0
    subject.probe.release()
    subject.probe.wait_all_closed(1)
