"""For WSGI servers: a WSGI application whose streams are mended.

from stream_adapter.wsgi import StreamAdapterMiddleware

app = StreamAdapterMiddleware(app)
"""

from ._middleware.wsgi import StreamAdapterMiddleware

__all__ = ["StreamAdapterMiddleware"]
