"""Stream any generator, sync or async, from any WSGI or ASGI app.

::

    import stream_adapter as sa

    response = sa.Response(rows())           # bytes, text, numbers or JSON values, sync or async
    response(environ, start_response)        # a WSGI application
    await response(scope, receive, send)     # an ASGI application

Flask, Django and FastAPI have modules of their own: stream_adapter_flask, stream_adapter_django and
stream_adapter_fastapi.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from . import _free_threading as _free_threading
from ._encode import encode_chunk
from ._iter_bytes import aiter_bytes, iter_bytes
from ._lifecycle import active_stream_count, configure, drain, drain_on_signal
from ._limits import Limits, StreamSummary
from ._response import Response
from ._shortcuts import csv, html, json_array, json_seq, ndjson, sse, text
from .errors import (
    BrokerError,
    BrokerUnavailableError,
    ChunkEncodingError,
    PublishTimeoutError,
    RunConflictError,
    StreamAdapterError,
    StreamConsumedError,
    StreamTimeoutError,
    StrictEncodingError,
)
from .formats import ServerSentEvent

if TYPE_CHECKING:
    from ._broker import Broker, Event, Run
    from .asgi import to_asgi
    from .engines import History
    from .files import file
    from .wsgi import to_wsgi

__version__ = "0.1.0"

active_streams = active_stream_count  # the former name, which this version keeps

__all__ = [
    "Broker",
    "BrokerError",
    "BrokerUnavailableError",
    "ChunkEncodingError",
    "Event",
    "History",
    "Limits",
    "PublishTimeoutError",
    "Response",
    "Run",
    "RunConflictError",
    "ServerSentEvent",
    "StreamAdapterError",
    "StreamConsumedError",
    "StreamSummary",
    "StreamTimeoutError",
    "StrictEncodingError",
    "active_stream_count",
    "active_streams",
    "aiter_bytes",
    "configure",
    "csv",
    "drain",
    "drain_on_signal",
    "encode_chunk",
    "file",
    "html",
    "iter_bytes",
    "json_array",
    "json_seq",
    "ndjson",
    "sse",
    "text",
    "to_asgi",
    "to_wsgi",
]

# Imported when they are first asked for: most applications need few of them, and together they take a third of the time
_LATER = {
    "Broker": "_broker",
    "Event": "_broker",
    "History": "engines",
    "Run": "_broker",
    "file": "files",
    "to_asgi": "asgi",
    "to_wsgi": "wsgi",
}

if not TYPE_CHECKING:  # a checker that saw it would take any name for an attribute

    def __getattr__(name: str) -> object:
        if name in _LATER:
            value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
            return value
        if name in _LATER.values():
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER, *_LATER.values()})
