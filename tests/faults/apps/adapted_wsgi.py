"""The plain ASGI application, under WSGI by `to_wsgi`."""

from __future__ import annotations

import stream_adapter as sa

from .plain_asgi import plain

sa.drain_on_signal()

app = sa.to_wsgi(plain)
