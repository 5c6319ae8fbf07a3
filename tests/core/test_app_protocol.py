"""An application of the other protocol is refused where it is given, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette

import stream_adapter as sa
from stream_adapter import asgi, wsgi


def wsgi_function(environ: Any, start_response: Any) -> list[bytes]:
    return []


async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


class WSGIObject:
    def __call__(self, environ: Any, start_response: Any, *, debug: bool = False) -> list[bytes]:
        return []

    def method(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


class ASGIObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def returning(self, scope: Any, receive: Any, send: Any) -> Any: ...


def anything(*arguments: Any) -> Any: ...


def with_options(option: str, environ: Any, start_response: Any) -> list[bytes]:
    return []


WSGI: dict[str, Any] = {
    "function": wsgi_function,
    "object": WSGIObject(),
    "method": WSGIObject().method,
    "partial": partial(with_options, "option"),
    "Flask": Flask(__name__),
    "Flask's wsgi_app": Flask(__name__).wsgi_app,
    "to_wsgi": sa.to_wsgi(asgi_function),
    "middleware": wsgi.StreamAdapterMiddleware(wsgi_function),
    "response": sa.Response("a").wsgi,
}
ASGI: dict[str, Any] = {
    "function": asgi_function,
    "object": ASGIObject(),
    "method": ASGIObject().returning,
    "FastAPI": FastAPI(),
    "Starlette": Starlette(),
    "to_asgi": sa.to_asgi(wsgi_function),
    "middleware": asgi.StreamAdapterMiddleware(asgi_function),
    "response": sa.Response("a").asgi,
}
BOTH: dict[str, Any] = {"any arguments": anything, "response": sa.Response("a")}
TAKES_WSGI: dict[str, Callable[[Any], object]] = {"to_asgi": sa.to_asgi, "middleware": wsgi.StreamAdapterMiddleware}
TAKES_ASGI: dict[str, Callable[[Any], object]] = {"to_wsgi": sa.to_wsgi, "middleware": asgi.StreamAdapterMiddleware}


@pytest.mark.parametrize("app", [*WSGI.values(), *BOTH.values()], ids=[*WSGI, *BOTH])
@pytest.mark.parametrize("take", TAKES_WSGI.values(), ids=TAKES_WSGI)
def test_wsgi_application_is_taken(take: Callable[[Any], object], app: Any) -> None:
    take(app)


@pytest.mark.parametrize("app", [*ASGI.values(), *BOTH.values()], ids=[*ASGI, *BOTH])
@pytest.mark.parametrize("take", TAKES_ASGI.values(), ids=TAKES_ASGI)
def test_asgi_application_is_taken(take: Callable[[Any], object], app: Any) -> None:
    take(app)


@pytest.mark.parametrize("app", ASGI.values(), ids=ASGI)
@pytest.mark.parametrize("take", TAKES_WSGI.values(), ids=TAKES_WSGI)
def test_asgi_application_is_refused_where_wsgi_is_expected(take: Callable[[Any], object], app: Any) -> None:
    with pytest.raises(TypeError, match=r"^app: expected a WSGI application, .*, got the ASGI application"):
        take(app)


@pytest.mark.parametrize("app", WSGI.values(), ids=WSGI)
@pytest.mark.parametrize("take", TAKES_ASGI.values(), ids=TAKES_ASGI)
def test_wsgi_application_is_refused_where_asgi_is_expected(take: Callable[[Any], object], app: Any) -> None:
    with pytest.raises(TypeError, match=r"^app: expected an ASGI application, .*, got the WSGI application"):
        take(app)


@pytest.mark.parametrize("take", [*TAKES_WSGI.values(), *TAKES_ASGI.values()])
@pytest.mark.parametrize("app", [None, "module:app", 5, lambda: None], ids=["None", "text", "number", "factory"])
def test_what_cannot_be_called_as_an_application_is_refused(take: Callable[[Any], object], app: Any) -> None:
    with pytest.raises(TypeError, match=r"^app: expected an? (WS|AS)GI application"):
        take(app)


def test_refusal_of_the_middleware_names_the_other_one() -> None:
    with pytest.raises(TypeError, match=r"; take stream_adapter\.asgi\.StreamAdapterMiddleware$"):
        wsgi.StreamAdapterMiddleware(cast("Any", FastAPI()))
    with pytest.raises(TypeError, match=r"; take stream_adapter\.wsgi\.StreamAdapterMiddleware$"):
        asgi.StreamAdapterMiddleware(cast("Any", Flask(__name__)))
