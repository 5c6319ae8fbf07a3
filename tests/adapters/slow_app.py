"""Downloads that say their length, carried by the middleware and by `to_asgi`, where every default is short.

The default of a `send_timeout` is half a second here, so that a pause of some seconds stands for one of minutes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter._adapters import flow
from stream_adapter._middleware import options
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.formats import Format

__all__ = ["middleware", "named", "to_asgi"]

SHORT = 0.5  # seconds
cast("Any", sa.Limits.__init__).__kwdefaults__["send_timeout"] = SHORT
Format.send_timeout = SHORT
flow._SEND_TIMEOUT = SHORT  # pyright: ignore[reportPrivateUsage]
options._LIMITS = sa.Limits()  # pyright: ignore[reportPrivateUsage]

FILE = Path(os.environ["SLOW_FILE"])


async def _file(_: Request) -> FileResponse:
    return FileResponse(FILE)


_starlette = Starlette(routes=[Route("/", _file)])
middleware = StreamAdapterMiddleware(_starlette, limits=sa.Limits())
named = StreamAdapterMiddleware(_starlette, limits=sa.Limits(send_timeout=0.25))
_flask = flask.Flask(__name__)
_flask.add_url_rule("/", view_func=lambda: flask.send_file(FILE))
to_asgi = sa.to_asgi(_flask, limits=sa.Limits())
