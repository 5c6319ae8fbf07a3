"""Runs Django's `runtests.py`, its two handlers wrapped in the middlewares if `SUITE_WAY` says so."""

from __future__ import annotations

import os
import runpy
import sys
from functools import partial
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from stream_adapter.asgi import StreamAdapterMiddleware as ASGIMiddleware
from stream_adapter.wsgi import StreamAdapterMiddleware as WSGIMiddleware


def wrap() -> None:
    """Have each call of a handler go through a middleware around it."""
    asgi: Any = ASGIHandler.__call__
    wsgi: Any = WSGIHandler.__call__

    async def call_asgi(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await ASGIMiddleware(partial(asgi, self))(scope, receive, send)

    def call_wsgi(self: Any, environ: Any, start_response: Any) -> Any:
        return WSGIMiddleware(partial(wsgi, self))(environ, start_response)

    ASGIHandler.__call__ = call_asgi  # type: ignore[method-assign]
    WSGIHandler.__call__ = call_wsgi  # type: ignore[method-assign]


if __name__ == "__main__":
    if os.environ.get("SUITE_WAY"):
        wrap()
    sys.path.insert(0, os.getcwd())
    runpy.run_path("runtests.py", run_name="__main__")
