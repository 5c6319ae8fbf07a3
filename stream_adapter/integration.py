"""The contract for integrations: what the three that ship use, and what a fourth needs.

The checklist:

1.  A view returned something: an app-wide adapter takes it if `is_stream` is true; `response_of_view` makes it a
    Response, or an error that names the view. `StreamingDecorator` is the base of the framework's `@streaming`.
2.  `response.resolve(RequestHead.from_environ(environ))`, or `.from_scope(scope)`: the source is yours now.
    One that `is_plain` is a whole body with nothing to close: the framework's own response, or `deliver_plain`, sends
    it, and it needs no body of 3.
3.  `SyncBody(resolved, hooks)` in a thread, `AsyncBody(resolved, hooks)` on an event loop. `Hooks` is what the
    framework contributes: a thread for sync sources, a context manager around async ones, the client's connection.
4.  `start()` where an exception still reaches the framework's error handlers, and never by blocking a loop. After it
    `body.status` and `body.headers` are final, and `merge_headers` joins them with those of the framework's own
    response. Any RefusalError is answered by its `refusal_head`. What a framework sends by itself it has from
    `outgoing_head`, once nothing can change it; `deliver` looks at it anyway. If that announces another Content-Length
    than the stream did, set `body.length` to its `content_length`.
5.  Iterate; or give an AsyncBody to `deliver`, which also watches for the disconnect. What iterates an AsyncBody itself
    awaits `break_connection` when it raises, before the server has the error.
6.  `close()` or `aclose()`, always, started or not; `close_unopened` or `aclose_unopened` before there is a body, and
    `discard_unopened` in the `__del__` of a response that was made and not sent.
"""

from ._body import AsyncBody, Hooks, SyncBody
from ._encode import ChunkTable, Encode, kind_of
from ._headers import content_length, merge_headers, outgoing_head
from ._keywords import ResponseKeywords, shows_options
from ._options import ResponseOptions, checked_options
from ._pump import copy_variables, current_loop
from ._pump import run as run_coroutine
from ._request import RequestHead
from ._resolved import Resolved
from ._response import is_whole, options_of
from ._serve.asgi import deliver
from ._serve.breaking import break_connection
from ._serve.opening import deliver_plain
from ._serve.pathsend import offers_pathsend
from ._serve.refusal import refusal_head
from ._serve.send_timeout import SendWatch
from ._serve.server_file import ServerFile, server_file
from ._server_sockets import client_connection
from ._shortcut_decorators import FormatDecorators
from ._source_protocols import RequestSource
from ._status import is_bodiless
from ._unopened import aclose_unopened, close_unopened, discard_unopened
from ._views import StreamingDecorator, ViewDecorator, as_response, is_stream, response_of_view
from .errors import RefusalError
from .formats._base import FormatEncoder
from .formats._event import event_of, is_event
from .formats._published import Ending, Published

# isort: split
# Names that an integration of this version does not need. They are importable in this version still.
from ._body import Host as Host
from ._connection import Connection as Connection
from ._encode import Kind as Kind
from ._request import RequestHeaders as RequestHeaders
from ._resolved import Flow as Flow
from ._resolved import OpenFile as OpenFile
from ._resolved import Resolvable as Resolvable
from ._status import status_line as status_line
from .errors import CapacityError as CapacityError
from .errors import ClientDisconnected as ClientDisconnected
from .errors import NotFoundError as NotFoundError
from .errors import StreamAborted as StreamAborted

__all__ = [
    "AsyncBody",
    "ChunkTable",
    "Encode",
    "Ending",
    "FormatDecorators",
    "FormatEncoder",
    "Hooks",
    "Published",
    "RefusalError",
    "RequestHead",
    "RequestSource",
    "Resolved",
    "ResponseKeywords",
    "ResponseOptions",
    "SendWatch",
    "ServerFile",
    "StreamingDecorator",
    "SyncBody",
    "ViewDecorator",
    "aclose_unopened",
    "as_response",
    "break_connection",
    "checked_options",
    "client_connection",
    "close_unopened",
    "content_length",
    "copy_variables",
    "current_loop",
    "deliver",
    "deliver_plain",
    "discard_unopened",
    "event_of",
    "is_bodiless",
    "is_event",
    "is_stream",
    "is_whole",
    "kind_of",
    "merge_headers",
    "offers_pathsend",
    "options_of",
    "outgoing_head",
    "refusal_head",
    "response_of_view",
    "run_coroutine",
    "server_file",
    "shows_options",
]
