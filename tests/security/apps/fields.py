"""What reads each field of a request: negotiation, resuming, conditions, ranges, codings, and both whole-app adapters.

`/resources` says what the process has used so far. `TEST_FILE` is the file that is sent.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterable
from pathlib import Path

import stream_adapter as sa
import stream_adapter.asgi
import stream_adapter.wsgi
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp

FILE = Path(os.environ.get("TEST_FILE", __file__))


def resources() -> sa.Response:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    answer = {"cpu": used.ru_utime + used.ru_stime, "rss": pages * os.sysconf("SC_PAGE_SIZE")}
    return sa.Response(json.dumps(answer).encode(), media_type="application/json")


ROUTES: dict[str, Callable[[], sa.Response]] = {
    "/resources": resources,
    "/negotiated": lambda: sa.Response(iter([{"a": 1}, {"a": 2}])),
    "/events": lambda: sa.sse(iter(["a", "b"]), end="done"),
    "/file": lambda: sa.file(FILE, precompressed=True),
}


def response_to(path: str) -> sa.Response:
    route = ROUTES.get(path)
    return sa.file(path.lstrip("/"), root=FILE.parent) if route is None else route()


def plain_wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return response_to(environ["PATH_INFO"]).wsgi(environ, start_response)


async def plain_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    await response_to(scope.get("path", "")).asgi(scope, receive, send)


adapted_wsgi = sa.to_wsgi(plain_asgi)
adapted_asgi = sa.to_asgi(plain_wsgi)
compressing_wsgi = stream_adapter.wsgi.StreamAdapterMiddleware(plain_wsgi, compress=True)
compressing_asgi = stream_adapter.asgi.StreamAdapterMiddleware(plain_asgi, compress=True)


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    kind, path = _split(environ["PATH_INFO"])
    environ["PATH_INFO"] = path
    apps: dict[str, WSGIApp] = {"/adapted": adapted_wsgi, "/compressing": compressing_wsgi}
    return apps.get(kind, plain_wsgi)(environ, start_response)


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await plain_asgi(scope, receive, send)
        return
    kind, path = _split(scope["path"])
    apps: dict[str, ASGIApp] = {"/adapted": adapted_asgi, "/compressing": compressing_asgi}
    await apps.get(kind, plain_asgi)({**scope, "path": path, "raw_path": None}, receive, send)


def _split(path: str) -> tuple[str, str]:
    for kind in ("/adapted", "/compressing"):
        if path.startswith(f"{kind}/"):
            return kind, path.removeprefix(kind)
    return "", path
