"""Plain WSGI."""

from __future__ import annotations

from collections.abc import Iterable

import stream_adapter as sa
from stream_adapter.types import Environ, StartResponse

from . import sources

sa.drain_on_signal()


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    match environ["PATH_INFO"].strip("/").split("/"):
        case ["stream", name, way, options]:
            return sources.make(name, way, options).wsgi(environ, start_response)
        case _:
            return sa.Response(b"hello").wsgi(environ, start_response)
