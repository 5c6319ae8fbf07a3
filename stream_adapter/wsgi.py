"""For WSGI servers: `to_wsgi` serves an ASGI application, `StreamAdapterMiddleware` wraps a WSGI application.

from stream_adapter.wsgi import StreamAdapterMiddleware, to_wsgi

application = to_wsgi(starlette_app)
application = StreamAdapterMiddleware(application)
"""

from ._adapters.to_wsgi import to_wsgi
from ._middleware.wsgi import StreamAdapterMiddleware

__all__ = ["StreamAdapterMiddleware", "to_wsgi"]
