"""Which protocol an application speaks, and what is refused."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from flask import Flask

import stream_adapter as sa
from stream_adapter.testing import async_stream_client, stream_client
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse, WSGIApp


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"wsgi"]


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"asgi"})


def wrapped(app: WSGIApp, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return app(environ, start_response)


def returning(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return asgi(scope, receive, send)


class AsyncApp:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asgi(scope, receive, send)


class SyncApp:
    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return wsgi(environ, start_response)


APPS: dict[str, tuple[Any, str]] = {
    "a function": (wsgi, "wsgi"),
    "a coroutine function": (asgi, "asgi"),
    "an object": (SyncApp(), "wsgi"),
    "an async object": (AsyncApp(), "asgi"),
    "a method": (SyncApp().__call__, "wsgi"),
    "a partial": (functools.partial(wsgi), "wsgi"),
    "an async partial": (functools.partial(asgi), "asgi"),
    "a partial with an argument": (functools.partial(wrapped, wsgi), "wsgi"),
    "a function that returns a coroutine": (returning, "asgi"),
    "a response's wsgi": (sa.Response("wsgi").wsgi, "wsgi"),
    "a response's asgi": (sa.Response("asgi").asgi, "asgi"),
    "to_asgi": (sa.to_asgi(wsgi), "wsgi"),
}


@pytest.mark.parametrize(("app", "text"), APPS.values(), ids=APPS)
def test_the_protocol_of_an_application_is_seen(app: Any, text: str) -> None:
    with stream_client(app) as client:
        assert client.get("/").text == text


NO_APPS: dict[str, Any] = {"a response": sa.Response(b""), "a builtin": print, "a name": "module:app", "of one": len}


@pytest.mark.parametrize("app", NO_APPS.values(), ids=NO_APPS)
def test_object_that_is_not_an_application_raises_type_error(app: Any) -> None:
    with pytest.raises(TypeError, match=r"expected an application that takes \(environ, start_response\) or \(scope, "):
        stream_client(app)


def test_an_async_client_wants_an_asgi_application() -> None:
    app: Any = wsgi
    with pytest.raises(TypeError, match=r"expected an ASGI application, got a WSGI one: .*; use stream_client"):
        async_stream_client(app)


def test_a_sync_client_of_an_asgi_application_wants_to_be_entered() -> None:
    with pytest.raises(RuntimeError, match=r"with stream_client\(app\) as client"):
        stream_client(asgi).get("/")


@pytest.mark.parametrize(("make", "app"), [(stream_client, asgi), (stream_client, wsgi), (async_stream_client, asgi)])
def test_client_options_are_passed_to_httpx(make: Callable[..., httpx2.Client], app: Any) -> None:
    client = make(app, headers={"X-Name": "value"}, base_url="http://other.example")
    assert (client.headers["x-name"], str(client.base_url)) == ("value", "http://other.example")
    assert str(make(app).base_url) == "http://testserver"


@pytest.mark.parametrize("app", [Flask(__name__), FastAPI()], ids=["flask", "fastapi"])
def test_applications_of_frameworks_are_recognised(app: Any) -> None:
    with stream_client(app) as client:
        assert client.get("/").status_code == 404
