"""An ASGI application under a WSGI server.

It runs in a task of the background loop and sends into the buffer; the request's thread takes from it. For the pump
it is an async source of a single step, the whole source, that yields nothing: `send` puts the chunks during that step.
An answer that is complete before the application first waits is sent as it is, without the pump.

The request is over when the response is complete; an application that has more to do continues without it. After a
disconnect `receive` returns `http.disconnect` and `send` raises. An application that does neither is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import copy_context

from stream_adapter._app_protocol import check_protocol
from stream_adapter._body import Hooks, SyncBody
from stream_adapter._limits import Limits, StreamSummary, check_seconds
from stream_adapter._log import expect_reports
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolved
from stream_adapter._serve.wsgi import begin
from stream_adapter._server_sockets import client_connection
from stream_adapter._source import Kind, Source
from stream_adapter._status import status_line
from stream_adapter.types import ASGIApp, Environ, StartResponse, WSGIApp

from .asgi_source import ASGISource
from .flow import flow_of
from .lifespan import ProcessLifespan

__all__ = ["to_wsgi"]

_LIMITS = Limits()


def to_wsgi(
    app: ASGIApp,
    *,
    limits: Limits = _LIMITS,
    on_close: Callable[[StreamSummary], object] | None = None,
    receive_timeout: float | None = 30.0,
) -> WSGIApp:
    """Serve an ASGI application under WSGI.

    It runs on one event loop per process, in a thread of its own. Its lifespan starts with the first request and shuts
    down when the process exits. The server answers an error before the first part of a response. The application is
    notified of a disconnect as ASGI specifies. `receive` reads the body as it arrives. Nothing starts before the first
    request, so a server may fork.

    Args:
        app: the application (ASGI 3.0). Its scope has the environ as `wsgi_environ`.
        limits: bounds and deadlines of each response.
        on_close: called with a StreamSummary when a response is over.
        receive_timeout: seconds that a read of the request's body waits for a silent client, because it occupies a
            thread. Then the application receives a disconnect, and the answer is 408. None: without limit. It applies
            where the server gives access to its socket: gunicorn, Werkzeug, cheroot, on Linux.

    Raises:
        TypeError: `app` is not an ASGI application.
        TypeError, ValueError: `receive_timeout` is not a positive number of seconds.
    """
    check_protocol(app, "ASGI", "serve it as it is")
    check_seconds("receive_timeout", receive_timeout)
    lifespan = ProcessLifespan(app)

    def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        source = ASGISource(app, environ, lifespan.begin(), receive_timeout)
        context = copy_context()
        context.run(expect_reports)
        if on_close is None and (answer := source.run_first_step(context)) is not None:
            status, headers = source.head()
            start_response(status_line(status), headers)
            # not a list, to which wsgiref would give a Content-Length, 204 or not
            return iter((answer,) if answer else ())
        flow = flow_of(source.head, limits, on_close)
        head = RequestHead.from_environ(environ)
        content = Source(source, Kind.ASYNC)
        resolved = Resolved(status=200, headers=[], source=content, flow=flow, body=None, request=head)
        source.body = SyncBody(resolved, Hooks(connection=client_connection(environ), context=context))
        return begin(source.body, environ, start_response)

    return wsgi
