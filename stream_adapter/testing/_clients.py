"""Clients of an application: httpx2's or httpx's, with the transport for its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard, cast

from stream_adapter._app_protocol import protocol_of
from stream_adapter.types import ASGIApp, WSGIApp

from ._asgi import ASGIStreamTransport
from ._bridge import BlockingASGITransport
from ._exchange import CLOSE_TIMEOUT
from ._httpx import SyncTransport, library
from ._wsgi import WSGIStreamTransport

if TYPE_CHECKING:
    import httpx2

__all__ = ["BASE_URL", "async_stream_client", "is_asgi", "stream_client"]

BASE_URL = "http://testserver"  # a host that Django's test environment allows, as do Starlette's


def stream_client(
    app: WSGIApp | ASGIApp,
    *,
    raise_app_exceptions: bool = True,
    close_timeout: float | None = CLOSE_TIMEOUT,
    **options: Any,
) -> httpx2.Client:
    """Return a client whose requests are answered by `app`, block by block; enter it with `with`.

    An ASGI application runs on a loop of its own, in a thread other than the test's.

    Args:
        app: a WSGI or an ASGI application.
        raise_app_exceptions: whether exceptions of the application are raised in the test; see the transports.
        close_timeout: seconds in which it must return after a disconnect; see the transports.
        **options: of httpx2.Client.

    Raises:
        TypeError: the application's parameters are neither WSGI's nor ASGI's.
    """
    transport: SyncTransport
    if is_asgi(app):
        transport = BlockingASGITransport(app, raise_app_exceptions=raise_app_exceptions, close_timeout=close_timeout)
    else:
        transport = WSGIStreamTransport(
            cast("WSGIApp", app), raise_app_exceptions=raise_app_exceptions, close_timeout=close_timeout
        )
    options.setdefault("base_url", BASE_URL)
    client: httpx2.Client = library.Client(transport=transport, **options)
    return client


def async_stream_client(
    app: ASGIApp, *, raise_app_exceptions: bool = True, close_timeout: float | None = CLOSE_TIMEOUT, **options: Any
) -> httpx2.AsyncClient:
    """Return an async client whose requests are answered by `app`, block by block; enter it with `async with`.

    Args:
        app: an ASGI application.
        raise_app_exceptions: whether exceptions of the application are raised in the test; see ASGIStreamTransport.
        close_timeout: seconds in which it must return after a disconnect; see ASGIStreamTransport.
        **options: of httpx2.AsyncClient.

    Raises:
        TypeError: the application is not ASGI.
    """
    if not is_asgi(app):
        raise TypeError(f"expected an ASGI application, got a WSGI one: {app!r}; use stream_client")
    transport = ASGIStreamTransport(app, raise_app_exceptions=raise_app_exceptions, close_timeout=close_timeout)
    options.setdefault("base_url", BASE_URL)
    client: httpx2.AsyncClient = library.AsyncClient(transport=transport, **options)
    return client


def is_asgi(app: object) -> TypeGuard[ASGIApp]:
    """Return True if an application is ASGI, False if it is WSGI.

    Raises:
        TypeError: it does not show its protocol.
    """
    protocol = protocol_of(app)
    if protocol is None:
        raise TypeError(
            f"expected an application that takes (environ, start_response) or (scope, receive, send), got {app!r}; "
            "of a stream_adapter.Response take its .wsgi or its .asgi"
        )
    return protocol == "ASGI"
