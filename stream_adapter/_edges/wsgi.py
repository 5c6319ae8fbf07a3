"""A response to a WSGI server (PEP 3333)."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus

from stream_adapter._body import Host, SyncBody
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolvable
from stream_adapter._types import Environ, StartResponse
from stream_adapter.errors import CapacityError

__all__ = ["CLIENT_DISCONNECTED", "disconnect_probe", "serve", "status_line"]

CLIENT_DISCONNECTED = "stream_adapter.client_disconnected"  # in the environ that `to_asgi` makes


def serve(response: Resolvable, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Send `response`; its first item is pulled here, so that an error before it is still the server's to answer."""
    body = SyncBody(response.resolve(RequestHead.from_environ(environ)), Host(gone=disconnect_probe(environ)))
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


def disconnect_probe(environ: Environ) -> Callable[[], bool] | None:
    """Return a function that says whether the client has gone, where the server shows it; else None.

    gunicorn and Werkzeug put the client's socket into the environ, waitress and `to_asgi` a function of their own.
    """
    for name in ("waitress.client_disconnected", CLIENT_DISCONNECTED):
        disconnected: Callable[[], bool] | None = environ.get(name)
        if disconnected is not None:
            return disconnected
    client = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(client, socket.socket) and not hasattr(client, "pending"):  # a TLS socket cannot be peeked at
        return lambda: _at_end(client)
    return None


def _at_end(client: socket.socket) -> bool:
    """Say whether the peer has closed: what can be read is the end. Bytes that can be read are a next request's."""
    try:
        if not select.select([client], [], [], 0)[0]:
            return False
        return client.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except (OSError, ValueError):
        return True
