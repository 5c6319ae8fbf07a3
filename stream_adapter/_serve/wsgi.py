"""A response to a WSGI server (PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterable

from stream_adapter._body import Hooks, SyncBody
from stream_adapter._headers import outgoing_head
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolvable
from stream_adapter._server_sockets import client_connection
from stream_adapter._status import status_line
from stream_adapter.errors import RefusalError
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
    except BaseException:
        body.close()
        raise
    return body if file is None else file.wrap(environ)


def refuse(error: RefusalError, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that is refused."""
    status, headers = bare_refusal(error)
    start_response(status_line(status), headers)
    return []
