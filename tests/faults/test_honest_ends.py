"""A body that fails never looks complete: through nginx as it comes, and whatever catches the exception."""

from __future__ import annotations

import pytest

from tests.support import servers
from tests.support.programs import NGINX

from .client import Client
from .harness import Host, Serve, run

BEHIND_NGINX = [
    Host("gthread", "plain", servers.gunicorn, "plain_wsgi:app"),
    Host("uvicorn", "plain", servers.uvicorn, "plain_asgi:app"),  # with h11, which ends a body without chunks by a FIN
]
either_way = pytest.mark.parametrize("way", ["sync", "async"])


@NGINX.needed
@pytest.mark.parametrize("settings", ["", "proxy_buffering off;", "proxy_http_version 1.1;"])
@pytest.mark.parametrize("host", BEHIND_NGINX, ids=lambda host: host.name)
def test_failure_is_seen_by_the_client_of_nginx(host: Host, settings: str) -> None:
    with run(host) as subject, servers.nginx(subject.server, settings) as front:
        for way in ("sync", "async"):
            failed = Client(front.port, f"/stream/raising/{way}/unlimited").read_until(b"\r\n\r\n").read_to_the_end()
            failed.finish()
            assert not failed.complete
            whole = Client(front.port, f"/stream/finite/{way}/unlimited").read_to_the_end()
            assert whole.complete
            whole.finish()
        subject.probe.wait_all_closed(4)


CATCHING: list[tuple[str, Serve, str]] = [
    ("debugger on Werkzeug", servers.werkzeug, "swallowed_wsgi:debugged"),
    ("middleware on Werkzeug", servers.werkzeug, "swallowed_wsgi:swallowing"),
    ("middleware on gunicorn", servers.gunicorn, "swallowed_wsgi:swallowing"),
    ("middleware on waitress", servers.waitress, "swallowed_wsgi:swallowing"),
    ("runserver", servers.runserver, "django_wsgi:app"),
]


@pytest.mark.parametrize(("serve", "app"), [case[1:] for case in CATCHING], ids=[case[0] for case in CATCHING])
def test_failure_is_seen_though_something_else_catches_it(serve: Serve, app: str) -> None:
    with run(Host("any", "any", serve, app)) as subject:
        for version in ("1.1", "1.0"):
            for way in ("sync", "async"):
                failed = subject.stream("raising", way, version=version).read_until(b"two,").read_to_the_end()
                chunked = b"transfer-encoding: chunked" in failed.received.lower()
                assert failed.was_reset or (chunked and not failed.complete)
        subject.probe.wait_all_closed(4)


@pytest.mark.parametrize("serve", [servers.werkzeug, servers.gunicorn, servers.waitress, servers.cheroot])
def test_lost_connection_of_the_source_before_its_first_item_is_answered_500(serve: Serve) -> None:
    with run(Host("any", "any", serve, "plain_wsgi:app")) as subject:
        for way in ("sync", "async"):
            client = subject.stream("unreachable", way).read_until(b"\r\n\r\n")
            assert client.status == 500
            client.finish()
        subject.probe.wait_all_closed(2)
