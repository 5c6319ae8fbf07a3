"""Under gevent's worker sync sources stream, as the other files show; async ones are refused at once."""

from __future__ import annotations

import pytest

from .harness import Subject, run
from .hosts import WSGI, named

pytestmark = pytest.mark.servers


_GEVENT = [host for host in WSGI if host.server == "gevent"]


@pytest.mark.parametrize("host", _GEVENT, ids=[host.framework for host in _GEVENT])
def test_async_source_under_gevent_is_an_error_that_names_other_workers(subject: Subject) -> None:
    client = subject.stream("idle", "async").read_to_the_end()
    assert client.status == 500
    assert "use gunicorn's gthread worker" in subject.server.log()
    subject.hello()


@pytest.mark.parametrize("options", ["unlimited", "keepalive"])
def test_sync_sources_take_turns_where_the_library_was_imported_before_gevent_patched(options: str) -> None:
    with run(named("gevent-plain"), "--preload") as subject:
        clients = [subject.stream("ticking", "sync", options).read_until(b"tick\n") for _ in range(3)]
        for client in clients:
            client.read(len(client.received) + 20)
        subject.hello()
        for client in clients:
            client.reset()
        subject.probe.wait_all_closed(3)
