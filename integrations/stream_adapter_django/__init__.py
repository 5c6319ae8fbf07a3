r"""Stream any generator, sync or async, from Django, under WSGI and under ASGI.

::

    import asyncio
    from stream_adapter_django import streaming

    @streaming
    async def ticks(request):
        for number in range(5):
            yield f"{number} at {request.path}\n"
            await asyncio.sleep(1)

`path(…, streaming=True)` does it for a route. `"stream_adapter_django.StreamAdapter"` in MIDDLEWARE does it for every
view that returns a generator, an iterator or a Response; its defaults are in STREAM_ADAPTER. `stream_response(…)` makes
the response inside a view.

The first item is pulled after the view, and its transaction, have ended: what it raises is a 403, 404 or 500 as in any
view. Headers and cookies that middleware sets reach the client; what the source sets after its first item cannot.
"""

try:
    from ._middleware import StreamAdapter
    from ._requests import last_event_id
    from ._response import StreamResponse, stream_response
    from ._urls import path, re_path
    from ._views import streaming
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] not in {"asgiref", "django"}:
        raise
    raise ModuleNotFoundError(
        "stream_adapter_django needs Django: pip install 'stream-adapter[django]'", name=_error.name
    ) from _error

__all__ = ["StreamAdapter", "StreamResponse", "last_event_id", "path", "re_path", "stream_response", "streaming"]
