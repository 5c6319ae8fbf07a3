"""A response to a WSGI server (PEP 3333)."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from stream_adapter._body import Hooks, SyncBody
from stream_adapter._headers import outgoing_head
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolvable
from stream_adapter._server_sockets import client_connection
from stream_adapter._status import status_line
from stream_adapter.errors import ClientDisconnected, RefusalError, StreamAborted
from stream_adapter.types import Environ, StartResponse

from .refusal import bare_refusal
from .server_file import server_file

__all__ = ["begin", "refuse", "serve"]


def serve(response: Resolvable, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Send `response`; its first item is pulled here, so that an error before it is still the server's to answer."""
    try:
        resolved = response.resolve(RequestHead.from_environ(environ))
    except RefusalError as error:
        return refuse(error, start_response)
    if resolved.is_plain:
        status, headers = outgoing_head(resolved.status, resolved.headers)
        start_response(status_line(status), headers)
        return iter((resolved.body or b"",))  # not a list, to which wsgiref would give a Content-Length, 204 or not
    return begin(SyncBody(resolved, Hooks(connection=client_connection(environ))), environ, start_response)


def begin(body: SyncBody, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Start a body and its response; return what the server iterates, and closes."""
    try:
        file = None if body.file is None else server_file(body, environ)
        if file is None:
            body.start()
        status, headers = outgoing_head(body.status, body.headers)
        start_response(status_line(status), headers)
    except RefusalError as error:
        body.close()
        return refuse(error, start_response)
    except BaseException as error:
        body.close()
        if _looks_like_a_disconnect(error):
            raise RuntimeError(f"the source failed before the response started: {error!r}") from error
        raise
    return body if file is None else file.wrap(environ)


def _looks_like_a_disconnect(error: BaseException) -> bool:
    """Return True for a source's own failure that a server takes for the client's departure, and does not answer.

    Werkzeug does so for each error of a connection and each time-out, gunicorn by the number: a database that cannot be
    reached would be neither answered nor logged.
    """
    if isinstance(error, (ClientDisconnected, StreamAborted)):
        return False
    return isinstance(error, (ConnectionError, TimeoutError)) or getattr(error, "errno", None) == errno.ENOTCONN


def refuse(error: RefusalError, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that is refused."""
    status, headers = bare_refusal(error)
    start_response(status_line(status), headers)
    return []
