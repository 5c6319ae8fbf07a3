from __future__ import annotations

from collections.abc import Iterable

from stream_adapter.types import Environ, StartResponse
from tests.broker.apps import control, events


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    _, kind, detail = environ["PATH_INFO"].split("/")
    if kind == "events":
        return events(detail).wsgi(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [control(detail).encode()]
