"""A response to a WSGI server (PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from stream_adapter._body import Host, SyncBody
from stream_adapter._connection import client_connection
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolvable
from stream_adapter._types import Environ, StartResponse
from stream_adapter.errors import CapacityError

__all__ = ["serve", "status_line"]


def serve(response: Resolvable, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Send `response`; its first item is pulled here, so that an error before it is still the server's to answer."""
    body = SyncBody(response.resolve(RequestHead.from_environ(environ)), Host(connection=client_connection(environ)))
    try:
        body.start()
        start_response(status_line(body.status), body.headers)
    except CapacityError as error:
        body.close()
        headers = [("Retry-After", str(error.retry_after)), ("Content-Type", "text/plain"), ("Content-Length", "0")]
        start_response(status_line(503), headers)
        return []
    except BaseException:
        body.close()
        raise
    return body


def status_line(status: int) -> str:
    """Return the status as WSGI writes it, with its phrase (RFC 9110, 15)."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"
