"""Plain WSGI."""

from __future__ import annotations

from collections.abc import Iterable

import stream_adapter as sa
from stream_adapter.types import Environ, StartResponse
from tests.contract import cases


def view(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    match environ["PATH_INFO"].strip("/").split("/"):
        case ["sync", case, way, key]:
            return cases.make(case, way, key).wsgi(environ, start_response)
        case ["control", action, key]:
            return sa.Response(cases.control(action, key)).wsgi(environ, start_response)
        case _:
            return sa.Response(None, status_code=404).wsgi(environ, start_response)


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Be a middleware: set a variable, and call what it wraps."""
    cases.set_by_middleware.set("middleware")
    return view(environ, start_response)
