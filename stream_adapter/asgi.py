"""For ASGI servers: `to_asgi` serves a WSGI application, `StreamAdapterMiddleware` wraps an ASGI application.

from stream_adapter.asgi import StreamAdapterMiddleware, to_asgi

app = to_asgi(flask_app)
app = StreamAdapterMiddleware(app)
"""

from ._adapters.to_asgi import to_asgi
from ._middleware.asgi import StreamAdapterMiddleware

__all__ = ["StreamAdapterMiddleware", "to_asgi"]
