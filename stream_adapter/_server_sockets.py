"""How each WSGI server shows the connection of its client. PEP 3333 has no interface for it.

gunicorn, Werkzeug       the socket, in the environ
waitress                 the channel, behind the function that reports a disconnect
uWSGI                    the descriptor, by `uwsgi.connection_fd()`
cheroot, wsgiref         the descriptor, beneath the request's body (Django's runserver is wsgiref's)
to_asgi, testing         the disconnect itself, as a call of `notify`
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ._connection import Connection, PolledConnection, SocketConnection
from .types import Environ

__all__ = ["client_connection"]


def client_connection(environ: Environ) -> Connection | None:
    """Return the connection of a request, if its server exposes it, for `Hooks.connection`."""
    notified: Connection | None = environ.get("stream_adapter.connection")
    if notified is not None:
        return notified
    protocol = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    if not protocol.startswith("HTTP/1"):
        return None  # gunicorn's HTTP/2: many streams share the connection, and one must not abort it
    return _of_server(environ, chunks=protocol != "HTTP/1.0")


def _of_server(environ: Environ, *, chunks: bool) -> Connection | None:
    if isinstance(client := environ.get("gunicorn.socket"), socket.socket):
        return SocketConnection(client, chunks=chunks)
    if isinstance(client := environ.get("werkzeug.socket"), socket.socket):
        # a server for one request at a time speaks HTTP/1.0
        several = bool(environ.get("wsgi.multithread") or environ.get("wsgi.multiprocess"))
        return SocketConnection(client, chunks=chunks and several)
    if "waitress.client_disconnected" in environ:
        return _of_waitress(environ["waitress.client_disconnected"], chunks=chunks)
    if "uwsgi.version" in environ:
        return _duplicate(_uwsgi_descriptor(), chunks=False)
    return _duplicate(_descriptor_of_input(environ), chunks=chunks and "Cheroot" in environ.get("SERVER_SOFTWARE", ""))


def _of_waitress(is_disconnected: Callable[[], bool], *, chunks: bool) -> Connection:
    """Use the channel behind the function: the function itself needs `channel_request_lookahead`."""
    channel: Any = getattr(is_disconnected, "__self__", None)
    client = getattr(channel, "socket", None)
    if not isinstance(client, socket.socket):
        return PolledConnection(is_disconnected)
    disconnect_error: Any = getattr(sys.modules.get(type(channel).__module__), "ClientDisconnected", None)
    return SocketConnection(
        client, chunks=chunks, buffered=lambda: channel.total_outbufs_len, disconnect_error=disconnect_error
    )


def _uwsgi_descriptor() -> int | None:
    uwsgi: Any = sys.modules.get("uwsgi")  # it exists within uWSGI only
    return None if uwsgi is None else uwsgi.connection_fd()


def _descriptor_of_input(environ: Environ) -> int | None:
    """Return the descriptor beneath `wsgi.input`, of the servers that read a request from its socket."""
    stream: Any = environ.get("wsgi.input")
    stream = getattr(stream, "server_input", stream)  # a RequestInput has the server's own
    if environ.get("SERVER_SOFTWARE", "").partition("/")[0] == "WSGIServer":  # Python 3.15 adds no version to it
        read: Any = getattr(stream, "_read", None)  # Django's LimitedStream has the stream by its method only
        stream = getattr(read, "__self__", stream)
    elif type(stream).__module__.startswith("cheroot."):
        stream = getattr(stream, "rfile", stream)
    else:
        return None  # a CGI script's input may be a socket too, and not the client's
    with suppress(AttributeError, OSError, ValueError):
        return int(stream.fileno())
    return None


def _duplicate(descriptor: int | None, *, chunks: bool) -> Connection | None:
    """Return the connection of a descriptor, if that is a socket. A duplicate is not reused for another connection."""
    if descriptor is None or descriptor < 0:
        return None
    try:
        duplicate = os.dup(descriptor)
    except OSError:
        return None
    if not stat.S_ISSOCK(os.fstat(duplicate).st_mode):
        os.close(duplicate)
        return None
    return SocketConnection(socket.socket(fileno=duplicate), chunks=chunks, is_duplicate=True)
