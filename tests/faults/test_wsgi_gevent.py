"""Under gevent's worker sync sources stream, as the other files show; async ones are refused, and nobody waits."""

from __future__ import annotations

import pytest

from tests.support import servers

from .harness import Subject, run
from .wsgi_hosts import PLAIN


@pytest.mark.parametrize("subject", [PLAIN["gevent"]], ids=["gevent"], indirect=True)
def test_an_async_source_is_an_error_that_says_what_to_use(subject: Subject) -> None:
    client = subject.stream("idle", "async").read_to_the_end()
    assert client.status == 500
    assert "use gunicorn's gthread worker" in subject.server.log()
    subject.hello()


@pytest.mark.parametrize("options", ["unlimited", "keepalive"])
def test_sync_sources_take_turns_where_the_library_was_imported_before_gevent_patched(options: str) -> None:
    with run(servers.gunicorn_gevent, "plain_wsgi:app", "--preload") as subject:
        clients = [subject.stream("ticking", "sync", options).read_until(b"tick\n") for _ in range(3)]
        for client in clients:
            client.read(len(client.received) + 20)
        subject.hello()
        for client in clients:
            client.reset()
        subject.probe.wait_all_closed(3)
