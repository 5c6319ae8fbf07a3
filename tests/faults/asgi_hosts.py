"""Where the ASGI suite runs: the bare response on each server, each integration on one."""

from __future__ import annotations

import sys

import pytest

from tests.support import servers

from .harness import Host

SERVERS = {
    "uvicorn": servers.uvicorn,
    "hypercorn": servers.hypercorn,
    "granian": servers.granian,
    "gunicorn": servers.gunicorn_asgi,
}
# gunicorn writes with transport.writelines, which these Pythons let grow without bound
CVE_2024_12254 = (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)
if CVE_2024_12254:
    del SERVERS["gunicorn"]

PLAIN = {name: Host(serve, "plain_asgi:app") for name, serve in SERVERS.items()}
INTEGRATIONS = {
    "FastAPI": Host(servers.uvicorn, "fastapi_asgi:app"),
    "Django": Host(servers.uvicorn, "django_asgi:app"),
    "Flask": Host(servers.uvicorn, "flask_asgi:app"),
}
HOSTS = PLAIN | INTEGRATIONS


each_host = pytest.mark.parametrize("subject", HOSTS.values(), ids=HOSTS, indirect=True)
each_server = pytest.mark.parametrize("subject", PLAIN.values(), ids=PLAIN, indirect=True)
either_way = pytest.mark.parametrize("way", ["sync", "async"])
