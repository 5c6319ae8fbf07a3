"""One shared Response in each framework, and a cookie, a header and a status for the user that `X-User` names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django.http
import flask
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from fastapi import Depends, FastAPI, Request
from fastapi import Response as FastAPIResponse

import stream_adapter as sa
import stream_adapter_django
import stream_adapter_fastapi
import stream_adapter_flask
from stream_adapter.types import WSGIApp

DEFAULTS: dict[str, Any] = {"headers": {"X-Default": "1", "Vary": "Origin"}, "limits": sa.Limits(max_items=32)}


def flask_app(shared: sa.Response) -> flask.Flask:
    app = flask.Flask("users")
    stream_adapter_flask.StreamAdapter(app, **DEFAULTS)

    @app.get("/")
    def view() -> Any:
        return shared

    @app.after_request
    def identify(response: flask.Response) -> flask.Response:
        user = flask.request.headers.get("X-User")
        if user:
            response.set_cookie("session", user)
            response.headers["X-Who"] = user
            response.vary.add("Cookie")
            response.status_code = 203
        return response

    return app


def flask_wsgi(shared: sa.Response) -> WSGIApp:
    return flask_app(shared).wsgi_app


def fastapi_app(shared: sa.Response) -> FastAPI:
    async def identify(request: Request, response: FastAPIResponse) -> None:
        user = request.headers.get("X-User")
        if user:
            response.set_cookie("session", user)
            response.headers["X-Who"] = user
            response.status_code = 203

    app = FastAPI(dependencies=[Depends(identify)])
    stream_adapter_fastapi.StreamAdapter(app, **DEFAULTS)

    @app.get("/")
    async def view() -> Any:
        return shared

    return app


def django_view(shared: sa.Response) -> Callable[[django.http.HttpRequest], Any]:
    @stream_adapter_django.streaming(**DEFAULTS)
    def view(request: django.http.HttpRequest) -> Any:
        return shared

    return view


def _identified(request: django.http.HttpRequest, response: Any) -> Any:
    user = request.headers.get("X-User")
    if user:
        response.set_cookie("session", user)
        response.headers["X-Who"] = user
        response.status_code = 203
    return response


def identify(get_response: Callable[[django.http.HttpRequest], Any]) -> Callable[[django.http.HttpRequest], Any]:
    if not iscoroutinefunction(get_response):  # pyright: ignore[reportDeprecated]  # Django marks by asgiref's
        return lambda request: _identified(request, get_response(request))

    async def middleware(request: django.http.HttpRequest) -> Any:
        return _identified(request, await get_response(request))

    return markcoroutinefunction(middleware)


identify.sync_capable = identify.async_capable = True  # type: ignore[attr-defined]  # as Django's decorator says it
