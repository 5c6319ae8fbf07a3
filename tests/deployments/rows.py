"""Which server is behind which proxy, with which framework."""

from __future__ import annotations

from dataclasses import dataclass

from . import programs as p

_APPS = {
    "Flask": "flask_wsgi",
    "Django": "django_wsgi",
    "Django, ASGI": "django_asgi",
    "FastAPI": "fastapi_asgi",
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        server: what runs the application.
        framework: what that is made with.
        front: the proxy before it; None if the client speaks to the server.
    """

    server: p.Program
    framework: str
    front: p.Program | None = None

    @property
    def name(self) -> str:
        parts = [] if self.front is None else [self.front.name]
        return " → ".join([*parts, f"{self.server.name} ({self.framework})"])

    @property
    def module(self) -> str:
        return f"tests.faults.apps.{_APPS[self.framework]}"

    @property
    def face(self) -> p.Program:
        """What the client speaks to."""
        return self.server if self.front is None else self.front

    @property
    def programs(self) -> list[p.Program]:
        return [self.server] if self.front is None else [self.front, self.server]


# What the framework changes is in docs/reference/servers.md, from tests/faults. Each server here has one framework; the
# two servers that most people run have more.
ROWS = [
    Row(p.GUNICORN, "Flask"),
    Row(p.GUNICORN, "Django"),
    Row(p.UVICORN, "FastAPI"),
    Row(p.UVICORN, "Django, ASGI"),
    Row(p.DAPHNE, "Django, ASGI"),
    Row(p.CHEROOT, "Flask"),
    Row(p.UWSGI_SOCKET, "Flask"),
    Row(p.UWSGI_ROUTER, "Flask"),
    Row(p.UWSGI_CHUNKED, "Flask"),
    Row(p.UWSGI, "Flask", p.NGINX_UWSGI),
    Row(p.MOD_WSGI, "Flask"),
    Row(p.MOD_WSGI, "Django"),
    Row(p.MOD_WSGI_DRAINED, "Flask"),
    Row(p.GUNICORN, "Flask", p.NGINX),
    Row(p.UVICORN, "FastAPI", p.NGINX),
    Row(p.UVICORN_H11, "FastAPI", p.NGINX),
    Row(p.GUNICORN, "Flask", p.NGINX_1_1),
    Row(p.UVICORN, "FastAPI", p.NGINX_1_1),
    Row(p.GUNICORN, "Flask", p.NGINX_UNBUFFERED),
    Row(p.UVICORN, "FastAPI", p.NGINX_UNBUFFERED),
    Row(p.GUNICORN, "Flask", p.NGINX_GZIP),
    Row(p.UVICORN, "FastAPI", p.NGINX_GZIP_UNBUFFERED),
    Row(p.GUNICORN, "Flask", p.NGINX_HTTP2),
    Row(p.UVICORN, "FastAPI", p.NGINX_HTTP2),
    Row(p.GUNICORN, "Flask", p.CADDY),
    Row(p.UVICORN, "FastAPI", p.CADDY_HTTP2),
    Row(p.GUNICORN, "Flask", p.HAPROXY),
    Row(p.UVICORN, "FastAPI", p.HAPROXY),
    Row(p.UVICORN, "FastAPI", p.HAPROXY_ABORTING),
    Row(p.GUNICORN, "Flask", p.APACHE),
    Row(p.UVICORN, "FastAPI", p.APACHE),
    Row(p.UVICORN, "FastAPI", p.APACHE_FLUSHING),
]
