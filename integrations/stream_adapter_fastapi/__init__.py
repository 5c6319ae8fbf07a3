r"""Stream any generator, sync or async, from FastAPI and Starlette.

::

    from fastapi import FastAPI
    from stream_adapter_fastapi import streaming

    app = FastAPI()

    @app.get("/rows")
    @streaming
    def rows():
        yield from ("one\n", "two\n")

Or without a decorator: `StreamAdapter(app)` streams what views return; a view that takes `stream: Stream` says
`return stream(rows())`; a `StreamRouter` has `@router.get("/rows", streaming=True)`.
"""

try:
    from ._adapter import StreamAdapter
    from ._response import StreamResponse, stream_response
    from ._router import StreamRouter
    from ._stream import Stream
    from ._views import streaming
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] not in {"fastapi", "starlette"}:
        raise
    raise ModuleNotFoundError(
        "stream_adapter_fastapi needs FastAPI: pip install 'stream-adapter[fastapi]'", name=_error.name
    ) from _error

__all__ = ["Stream", "StreamAdapter", "StreamResponse", "StreamRouter", "stream_response", "streaming"]
