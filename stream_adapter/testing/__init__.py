"""A testing kit for streams: read endless responses, disconnect from them, assert that they stream and close.

    from stream_adapter.testing import assert_closes, assert_streams, events, stream_client

    with stream_client(app) as client, client.stream("GET", "/events") as response:
        assert next(events(response)).json() == {"tick": 0}

    assert_streams(app, "/events")
    assert_closes(app, "/events")

`app` is any WSGI or ASGI application, of any framework. The same is there as pytest fixtures, once this is installed:
`stream_client`, `async_stream_client` and `live_server`. It needs the extra `testing`.
"""

from ._asgi import ASGIStreamTransport
from ._assertions import aassert_closes, aassert_streams, assert_closes, assert_streams
from ._broker import Listening, listening
from ._clients import async_stream_client, stream_client
from ._engines import EngineConformance, ManualClock, RecordingReceiver
from ._fault_proxy import FaultProxy
from ._items import Items, events, rows
from ._live import LiveServer
from ._reading import anext_chunk, next_chunk
from ._sockets import SlowClient, StalledClient
from ._wsgi import WSGIStreamTransport

__all__ = [
    "ASGIStreamTransport",
    "EngineConformance",
    "FaultProxy",
    "Items",
    "Listening",
    "LiveServer",
    "ManualClock",
    "RecordingReceiver",
    "SlowClient",
    "StalledClient",
    "WSGIStreamTransport",
    "aassert_closes",
    "aassert_streams",
    "anext_chunk",
    "assert_closes",
    "assert_streams",
    "async_stream_client",
    "events",
    "listening",
    "next_chunk",
    "rows",
    "stream_client",
]
