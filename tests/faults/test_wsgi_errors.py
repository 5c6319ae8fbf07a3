"""A source that raises breaks its connection: no server makes a polite end of it."""

from __future__ import annotations

from .harness import Subject
from .wsgi_hosts import each_host_either_way


@each_host_either_way
def test_a_stream_that_fails_ends_visibly(subject: Subject, way: str) -> None:
    client = subject.stream("raising", way).read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"error": 1}
    assert client.status == 200
    assert b"one," in client.received
    assert b"two," in client.received
    assert b"secret" not in client.received
    assert not client.complete
    subject.hello()


@each_host_either_way
def test_a_stream_that_succeeds_ends_politely(subject: Subject, way: str) -> None:
    assert subject.stream("finite", way).read_to_the_end().complete
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"done": 1}
