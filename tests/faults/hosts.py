"""Where the suite runs: every server with every framework, and what of it the machine's Python makes impossible.

    ASGI    uvicorn, hypercorn, granian, gunicorn (its ASGI worker)   plain, behind a middleware, FastAPI, Django, Flask
            uvicorn[standard]                                         plain, FastAPI
    WSGI    gthread, gevent (gunicorn's workers), waitress, werkzeug   plain, Flask, Django, ASGI by to_wsgi
            cheroot, uWSGI (only in test_wsgi_clients.py)              plain

A few of them run by default, the others by `-m servers`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

import pytest

from tests.support import servers

from .harness import Host, Serve

_ASGI_SERVERS: dict[str, tuple[Serve, tuple[str, ...]]] = {
    "uvicorn": (servers.uvicorn, ()),
    "hypercorn": (servers.hypercorn, ("--workers", "0")),  # the process that is signalled is the one that serves
    "granian": (servers.granian, ()),
    "gunicorn": (servers.gunicorn_asgi, ()),
}
_ASGI_APPS = {
    "plain": "plain_asgi:app",
    "middleware": "plain_asgi:behind_middleware",
    "FastAPI": "fastapi_asgi:app",
    "Django": "django_asgi:app",
    "Flask": "flask_asgi:app",
}
_WSGI_SERVERS: dict[str, tuple[Serve, tuple[str, ...]]] = {
    "gthread": (servers.gunicorn, ("--threads", "64")),
    "gevent": (servers.gunicorn_gevent, ()),
    "waitress": (servers.waitress, ("threads=64",)),
    "werkzeug": (servers.werkzeug, ()),
}
_WSGI_APPS = {
    "plain": "plain_wsgi:app",
    "Flask": "flask_wsgi:app",
    "Django": "django_wsgi:app",
    "to_wsgi": "adapted_wsgi:app",
}

HTTP_2 = [
    Host(server, framework, serve, app, options)
    for server, (serve, options) in _ASGI_SERVERS.items()
    for framework, app in _ASGI_APPS.items()
]
# uvicorn as `pip install 'uvicorn[standard]'` has it, on uvloop by httptools, which speaks HTTP/1.1 alone
_STANDARD = [
    Host("standard", framework, servers.uvicorn, _ASGI_APPS[framework], ("--loop", "uvloop", "--http", "httptools"))
    for framework in ("plain", "FastAPI")
]
ASGI = HTTP_2 + _STANDARD
WSGI = [
    Host(server, framework, serve, app, options)
    for server, (serve, options) in _WSGI_SERVERS.items()
    for framework, app in _WSGI_APPS.items()
    if (server, framework) != ("gevent", "to_wsgi")  # it refuses what needs a loop
]
HOSTS = ASGI + WSGI
# servers whose socket is looked at as well; only the tests of clients run with them
FURTHER_WSGI = [
    Host("cheroot", "plain", servers.cheroot, "plain_wsgi:app"),
    Host("uwsgi", "plain", servers.uwsgi, "plain_wsgi:app"),
]
BY_DEFAULT = {"uvicorn-plain", "uvicorn-Django", "gthread-Flask"}

CVE_2024_12254 = (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)
_UNBOUNDED = "CVE-2024-12254: this Python's asyncio has no bound for what gunicorn's ASGI worker writes"


def named(name: str) -> Host:
    """Return one host."""
    (host,) = (host for host in HOSTS if host.name == name)
    return host


def on(hosts: Iterable[Host], ways: Sequence[str] = ("sync", "async")) -> pytest.MarkDecorator:
    """Run a test on each host, with each way that it serves; under gevent there is only one (test_gevent.py)."""
    return pytest.mark.parametrize(
        ("host", "way"),
        [
            pytest.param(host, way, id=f"{host.name}-{way}", marks=marks(host))
            for host in hosts
            for way in ways
            if (host.server, way) != ("gevent", "async")
        ],
    )


def marks(host: Host) -> list[pytest.MarkDecorator]:
    """Return what a test on this host is marked with."""
    found = [] if host.name in BY_DEFAULT else [pytest.mark.servers]
    if host.server == "gunicorn" and CVE_2024_12254:
        found.append(pytest.mark.skip(_UNBOUNDED))
    if host.server == "standard" and find_spec("uvloop") is None:
        found.append(pytest.mark.skip("uvloop is not installed: it is in the extra `deployments`"))
    if host.server == "uwsgi" and not servers.UWSGI.exists():
        found.append(pytest.mark.skip("uWSGI is not installed: it is in the extra `deployments`"))
    return found
