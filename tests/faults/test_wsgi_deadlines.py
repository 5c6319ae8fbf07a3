"""Each deadline ends its stream with its own reason, and closes the source; a sync one has a thread for it."""

from __future__ import annotations

from .harness import Subject
from .wsgi_hosts import each_host_async, each_host_either_way


@each_host_either_way
def test_a_source_that_is_silent_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("idle", way, "idle_timeout").read_to_the_end()
    subject.probe.wait(lambda it: it.reasons == {"idle_timeout": 1})
    assert not client.complete
    subject.probe.release()
    subject.probe.wait_all_closed(1)


@each_host_either_way
def test_a_stream_that_lives_for_too_long(subject: Subject, way: str) -> None:
    client = subject.stream("ticking", way, "total_timeout").read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert not client.complete
    assert subject.probe.reasons == {"total_timeout": 1}


@each_host_async
def test_a_source_that_takes_too_long_to_close_is_left_to_itself(subject: Subject, way: str) -> None:
    client = subject.stream("stubborn", way, "close_timeout").read_until(b"first")
    client.reset()
    subject.probe.wait(lambda it: it.reasons == {"disconnect": 1})
    assert subject.probe.closed == 0
    subject.probe.release()
    subject.probe.wait_all_closed(1)
