"""The frameworks under their servers, and the streams that tests ask them for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support.gate import BOUND
from tests.support.servers import Server, gunicorn, uvicorn

__all__ = ["COMPRESSED", "HOSTS", "Host", "Stream", "run"]

Serve = Callable[..., AbstractContextManager[Server]]

HOSTS: dict[str, tuple[Serve, str]] = {
    "flask": (gunicorn, "flask_app:app"),
    "django-wsgi": (gunicorn, "django_app:wsgi"),
    "django-asgi": (uvicorn, "django_app:asgi"),
    "fastapi": (uvicorn, "fastapi_app:app"),
}
COMPRESSED: dict[str, tuple[Serve, str]] = {
    "flask": (gunicorn, "flask_app:compressed"),
    "django-asgi": (uvicorn, "django_app:compressed"),
    "fastapi": (uvicorn, "fastapi_app:compressed"),
}

_keys = map(str, itertools.count())


@dataclass(frozen=True)
class Stream:
    """One stream of a host, and its remote control."""

    url: str
    _key: str
    _client: httpx2.Client

    def tell(self, command: str) -> None:
        """Make the source "go" on, "run" by itself from now on, "fail", or "end"."""
        self._client.post(f"/tell/{self._key}/{command}").raise_for_status()

    def asked(self) -> list[str | None]:
        """Return the Last-Event-ID of each request for it."""
        answer: list[str | None] = self._client.get(f"/asked/{self._key}").json()
        return answer

    def wait_closed(self) -> None:
        """Wait until its source is closed."""
        assert self._client.get(f"/closed/{self._key}").text == "closed"


@dataclass(frozen=True)
class Host:
    """A framework under a server."""

    server: Server
    client: httpx2.Client

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return f"{self.server.url}/"

    def stream(self, kind: str, way: str = "async") -> Stream:
        """Return a stream of numbers that has not started."""
        return self._stream(f"stream/{kind}/{way}")

    def unadapted(self) -> Stream:
        """Return a stream of events, by the framework's own means, that has not started."""
        return self._stream("unadapted")

    def _stream(self, path: str) -> Stream:
        key = next(_keys)
        return Stream(f"{self.url}{path}/{key}", key, self.client)


@contextmanager
def run(serve: Serve, app: str, files: Path) -> Generator[Host]:
    """Serve an application of tests/browser/apps.

    Args:
        serve: runs the server.
        app: `module:name`.
        files: the folder with the files that are sent.
    """
    with (
        serve(f"tests.browser.apps.{app}", BROWSER_FILES=str(files)) as server,
        # one connection per request: a server closes those that wait when it pleases, and a pool would race that
        httpx2.Client(
            base_url=server.url, timeout=2 * BOUND, limits=httpx2.Limits(max_keepalive_connections=0)
        ) as client,
    ):
        yield Host(server, client)
