"""Starlette's test client, typed as the httpx2 client that it is."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

import httpx2

from stream_adapter.types import ASGIApp

if TYPE_CHECKING:
    from starlette.testclient import TestClient, WebSocketTestSession
else:
    with warnings.catch_warnings():  # it would rather have httpx2, which nothing else here needs
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient


def client_of(app: ASGIApp) -> httpx2.Client:
    """Return a client that is answered 500 where an exception leaves the application."""
    return cast("httpx2.Client", TestClient(app, raise_server_exceptions=False))


def strict_client_of(app: ASGIApp) -> httpx2.Client:
    """Return a client that raises what leaves the application; entered, it runs the lifespan."""
    return cast("httpx2.Client", TestClient(app))


def websocket_to(app: ASGIApp, path: str) -> WebSocketTestSession:
    """Open a web socket."""
    return TestClient(app).websocket_connect(path)
