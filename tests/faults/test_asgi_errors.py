"""A source that raises breaks its connection visibly on every server, and what it raised is not told to the client."""

from __future__ import annotations

from .asgi_hosts import each_host, either_way
from .harness import Subject


@each_host
@either_way
def test_a_stream_that_fails_ends_visibly(subject: Subject, way: str) -> None:
    client = subject.stream("raising", way).read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"error": 1}
    assert client.status == 200
    assert b"one,two," in client.received.replace(b"\r\n4\r\n", b"")
    assert b"secret" not in client.received
    assert not client.complete
    subject.hello()


@each_host
@either_way
def test_a_stream_that_succeeds_ends_politely(subject: Subject, way: str) -> None:
    assert subject.stream("finite", way).read_to_the_end().complete
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"done": 1}
