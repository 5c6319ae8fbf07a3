"""For ASGI servers: a whole WSGI application, really streamed.

from stream_adapter.asgi import to_asgi

app = to_asgi(flask_app)
"""

from ._apps.to_asgi import to_asgi

__all__ = ["to_asgi"]
