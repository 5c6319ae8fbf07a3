"""The contract for integrations: what the three that ship use, and whoever writes a fourth.

The checklist:

1.  A view returned something: `is_stream` says whether an app-wide adapter takes it; `as_response` makes it a Response.
2.  `response.resolve(RequestHead.from_environ(environ))`, or `.from_scope(scope)`: the source is yours now.
3.  `SyncBody(resolved, hooks)` in a thread, `AsyncBody(resolved, hooks)` on an event loop. `Hooks` is what the
    framework contributes: a thread for sync sources, a context manager around async ones, the client's connection.
4.  `start()` where an exception still reaches the framework's error handlers, and never by blocking a loop. After it
    `body.status` and `body.headers` are final, and `merge_headers` joins them with those of the framework's own
    response. Any RefusalError is answered by its `refusal_head`. What a framework sends by itself it has from
    `outgoing_head`, once nothing can change it; `deliver` looks at it anyway. If that announces another Content-Length
    than the stream did, set `body.length`.
5.  Iterate; or give an AsyncBody to `deliver`, which also watches for the disconnect.
6.  `close()` or `aclose()`, always, started or not.
"""

from ._body import AsyncBody, ClientDisconnected, Hooks, Host, StreamAborted, SyncBody
from ._connection import Connection, client_connection
from ._encode import ChunkTable, Encode, Kind, kind_of
from ._heads import is_bodiless, merge_headers, outgoing_head
from ._pump import run as run_coroutine
from ._request import RequestHead, RequestHeaders
from ._resolved import Flow, OpenFile, Resolvable, Resolved
from ._response import ResponseOptions, as_response, checked_options, is_stream
from ._serve.asgi import deliver, offers_pathsend
from ._serve.progress import SendWatch
from ._serve.refusal import refusal_head
from ._serve.server_file import ServerFile, server_file
from ._serve.wsgi import status_line
from ._shortcut_decorators import FormatDecorators
from ._views import StreamingDecorator, ViewDecorator, response_of_view
from .errors import CapacityError, NotFoundError, RefusalError
from .formats._base import FormatEncoder
from .formats._foreign_events import event_of, is_event

__all__ = [
    "AsyncBody",
    "CapacityError",
    "ChunkTable",
    "ClientDisconnected",
    "Connection",
    "Encode",
    "Flow",
    "FormatDecorators",
    "FormatEncoder",
    "Hooks",
    "Host",
    "Kind",
    "NotFoundError",
    "OpenFile",
    "RefusalError",
    "RequestHead",
    "RequestHeaders",
    "Resolvable",
    "Resolved",
    "ResponseOptions",
    "SendWatch",
    "ServerFile",
    "StreamAborted",
    "StreamingDecorator",
    "SyncBody",
    "ViewDecorator",
    "as_response",
    "checked_options",
    "client_connection",
    "deliver",
    "event_of",
    "is_bodiless",
    "is_event",
    "is_stream",
    "kind_of",
    "merge_headers",
    "offers_pathsend",
    "outgoing_head",
    "refusal_head",
    "response_of_view",
    "run_coroutine",
    "server_file",
    "status_line",
]
