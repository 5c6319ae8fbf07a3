"""For ASGI servers: a whole WSGI application, really streamed; and an ASGI application whose streams are mended.

from stream_adapter.asgi import StreamAdapterMiddleware, to_asgi

app = to_asgi(flask_app)
app = StreamAdapterMiddleware(app)
"""

from ._adapters.to_asgi import to_asgi
from ._middleware.asgi import StreamAdapterMiddleware

__all__ = ["StreamAdapterMiddleware", "to_asgi"]
