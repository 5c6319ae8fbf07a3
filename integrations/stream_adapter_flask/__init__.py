"""Stream any generator, sync or async, from Flask.

::

    import asyncio
    from flask import Flask, request
    from stream_adapter_flask import streaming

    app = Flask(__name__)

    @app.get("/")
    @streaming
    async def ticks():
        for number in range(5):
            yield f"{number} for {request.remote_addr}<br>"
            await asyncio.sleep(0.1)

`StreamAdapter(app)` does without the decorator: what a view returns is streamed if it is a generator, an iterator or a
Response. `stream_response(…)` makes the response inside a view.

`request`, `session` and `g` work inside the generator; the request is torn down once, after the source is closed. What
is raised before the first item goes to the app's error handlers. A session, cookie or header that is written after the
first item cannot be sent.
"""

try:
    from ._adapter import StreamAdapter
    from ._context import last_event_id
    from ._response import StreamingResponse, StreamResponse, stream_response
    from ._views import streaming
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] != "flask":
        raise
    raise ModuleNotFoundError(
        "stream_adapter_flask needs Flask: pip install 'stream-adapter[flask]'", name=_error.name
    ) from _error

__all__ = [
    "StreamAdapter",
    "StreamResponse",
    "StreamingResponse",
    "last_event_id",
    "stream_response",
    "streaming",
]
