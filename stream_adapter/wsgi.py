"""For WSGI servers: a whole ASGI application, really streamed; and a WSGI application whose streams are mended.

from stream_adapter.wsgi import StreamAdapterMiddleware, to_wsgi

application = to_wsgi(starlette_app)
application = StreamAdapterMiddleware(application)
"""

from ._adapters.to_wsgi import to_wsgi
from ._middleware.wsgi import StreamAdapterMiddleware

__all__ = ["StreamAdapterMiddleware", "to_wsgi"]
