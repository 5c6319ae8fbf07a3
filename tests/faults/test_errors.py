"""A source that raises differs from one that ends, on every server, and no client sees its error."""

from __future__ import annotations

import pytest

from .harness import Subject
from .hosts import HOSTS, on


@on(HOSTS)
def test_source_that_fails_before_its_first_item_is_answered_500(subject: Subject, way: str) -> None:
    client = subject.stream("failing", way).read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"error": 1}
    assert client.status == 500
    assert b"secret" not in client.received
    subject.hello()


@on(HOSTS)
def test_source_that_fails_after_its_first_item_breaks_the_connection(subject: Subject, way: str) -> None:
    client = subject.stream("raising", way).read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"error": 1}
    assert client.status == 200
    assert b"one,two," in client.received.replace(b"\r\n4\r\n", b"")
    assert b"secret" not in client.received
    assert not client.complete
    subject.hello()


# Werkzeug and httptools speak HTTP/1.1 to every client
@on(host for host in HOSTS if host.server not in {"werkzeug", "standard"})
def test_source_that_fails_over_http_1_0_resets_the_connection_after_what_was_sent(subject: Subject, way: str) -> None:
    failed = subject.stream("raising", way, version="1.0").read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert failed.received.endswith(b"one,two,")
    assert failed.was_reset
    whole = subject.stream("finite", way, version="1.0").read_to_the_end()
    subject.probe.wait_all_closed(2)
    assert not whole.was_reset
    subject.hello()


@on(HOSTS)
def test_source_that_succeeds_ends_with_a_complete_body(subject: Subject, way: str) -> None:
    assert subject.stream("finite", way).read_to_the_end().complete
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"done": 1}


@on(HOSTS)
def test_source_that_raises_cancelled_error_breaks_the_connection(subject: Subject, way: str) -> None:
    _ends_visibly(subject, "cancelled", way)


# waitress does not handle a BaseException: it neither answers nor closes
@on(host for host in HOSTS if host.server != "waitress")
def test_source_that_raises_a_base_exception_breaks_the_connection(subject: Subject, way: str) -> None:
    _ends_visibly(subject, "fatal", way)


def _ends_visibly(subject: Subject, name: str, way: str) -> None:
    client = subject.stream(name, way).read_until(b"tick").read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"error": 1}
    assert b"secret" not in client.received
    assert not client.complete
    subject.hello()


@on(HOSTS)
@pytest.mark.parametrize("name", ["badly_closed", "swallowing"])
def test_source_that_fails_or_refuses_to_close_leaves_the_server_working(subject: Subject, way: str, name: str) -> None:
    client = subject.stream(name, way).read_until(b"tick")
    client.reset()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}
    assert subject.stream("finite", way).read_to_the_end().complete
    subject.probe.wait_all_closed(2)
