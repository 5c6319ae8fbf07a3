"""Where the WSGI suite runs: the bare response on each server, each integration on one; gevent with sync sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.support import servers

from .harness import Host, Serve

SERVERS: dict[str, Serve] = {
    "gthread": servers.gunicorn,
    "gevent": servers.gunicorn_gevent,
    "waitress": servers.waitress,
    "werkzeug": servers.werkzeug,
}
PLAIN = {name: Host(serve, "plain_wsgi:app") for name, serve in SERVERS.items()}
INTEGRATIONS = {"Flask": Host(servers.gunicorn, "flask_wsgi:app"), "Django": Host(servers.gunicorn, "django_wsgi:app")}
HOSTS = PLAIN | INTEGRATIONS

Mark = Callable[[Callable[..., Any]], Callable[..., Any]]


def on_each(hosts: dict[str, Host], ways: Iterable[str]) -> Mark:
    """Run a test on each host with each way that it can serve."""
    return pytest.mark.parametrize(
        ("subject", "way"),
        [
            pytest.param(host, way, id=f"{name}-{way}")
            for name, host in hosts.items()
            for way in ways
            if (name, way) != ("gevent", "async")
        ],
        indirect=["subject"],
    )


each_host = pytest.mark.parametrize("subject", HOSTS.values(), ids=HOSTS, indirect=True)
each_host_either_way = on_each(HOSTS, ["sync", "async"])
each_host_async = on_each(HOSTS, ["async"])
each_host_sync = on_each(HOSTS, ["sync"])
