"""What an error reporter around a WSGI application gets: one event of a failure, none of a client that leaves."""

from __future__ import annotations

import pytest

from tests.support import servers

from .client import Client
from .harness import Host, Serve, Subject, run


def events_of(subject: Subject) -> list[bytes]:
    client = Client(subject.server.port, "/events", version="1.0").read_to_the_end()
    client.finish()
    return client.received.partition(b"\r\n\r\n")[2].split()


@pytest.mark.parametrize("serve", [servers.gunicorn, servers.werkzeug, servers.waitress, servers.cheroot])
def test_sentry_has_one_event_of_a_failure_and_none_of_clients_that_leave(serve: Serve) -> None:
    with run(Host("any", "any", serve, "counted_wsgi:app")) as subject:
        subject.forget(subject.stream("idle", "async").read_until(b"first"))
        subject.forget(subject.stream("empty", "sync").read_until(b"first"))
        subject.stream("fast", "sync", "send_timeout", buffer=65536).read(65536)
        subject.probe.wait_all_closed(3)
        assert subject.probe.reasons == {"disconnect": 2, "send_timeout": 1}
        assert events_of(subject) == []
        for way in ("sync", "async"):
            assert not subject.stream("raising", way).read_until(b"two,").read_to_the_end().complete
        subject.probe.wait_all_closed(5)
        assert events_of(subject) == [b"LookupError"] * 2


@pytest.mark.parametrize("serve", [servers.gunicorn, servers.werkzeug, servers.waitress, servers.cheroot])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_drain_is_not_an_error_and_breaks_each_connection(serve: Serve, version: str) -> None:
    with run(Host("any", "any", serve, "counted_wsgi:app")) as subject:
        clients = [
            subject.stream(name, way, version=version).read_until(b"first")
            for name, way in (("empty", "sync"), ("idle", "async"))
        ]
        Client(subject.server.port, "/drain").read_until(b"drained: True").finish()
        for client in clients:
            ended = client.read_to_the_end()
            assert ended.was_reset or (version == "1.1" and not ended.complete)
        assert events_of(subject) == []
