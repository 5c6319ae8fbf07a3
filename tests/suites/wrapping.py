"""A pytest plugin for the test suites of other projects: it wraps their applications, and writes what became of tests.

It runs in an environment of its own, under `-p`, and is configured by the process's environment:

    SUITE_WAY        one of WAYS: how their applications meet this library; empty for not at all
    SUITE_OUTCOMES   where the outcomes are written, as JSON: test id → outcome
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

outcomes: dict[str, str] = {}


def pytest_configure() -> None:
    """Wrap before anything of the suite is imported."""
    if way := os.environ.get("SUITE_WAY"):
        WAYS[way]()


def pytest_runtest_logreport(report: Any) -> None:
    """Note the worst that became of a test, in its set-up, call or teardown."""
    if report.outcome == "failed":
        outcomes[report.nodeid] = "failed"
    elif report.when == "call" or report.outcome == "skipped":
        outcomes.setdefault(report.nodeid, report.outcome)


def pytest_sessionfinish() -> None:
    """Write."""
    Path(os.environ["SUITE_OUTCOMES"]).write_text(json.dumps(outcomes))


def _asgi(app: Any) -> Any:
    return importlib.import_module("stream_adapter.asgi").StreamAdapterMiddleware(app)


def _wsgi(app: Any) -> Any:
    return importlib.import_module("stream_adapter.wsgi").StreamAdapterMiddleware(app)


def _wrap_first_argument(cls: Any, wrap: Callable[[Any], Any], method: str = "__init__") -> None:
    """Have `cls` take the application that it is given, first or as `app=`, wrapped."""
    original = getattr(cls, method)

    def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
        if arguments:
            arguments = (wrap(arguments[0]), *arguments[1:])
        elif "app" in options:
            options["app"] = wrap(options["app"])
        return original(self, *arguments, **options)

    setattr(cls, method, wrapped)


def _after(cls: Any, act: Callable[[Any], object]) -> None:
    """Do something with each new instance of `cls` itself."""
    original = cls.__init__

    def created(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        act(self)

    cls.__init__ = created


def asgi_middleware() -> None:
    """Wrap what the test clients of Starlette, httpx and httpx2 are given."""
    testclient = importlib.import_module("starlette.testclient")

    def wrap(app: Any) -> Any:
        is_asgi3 = testclient._is_asgi3(app)  # the client also takes ASGI 2.0, which the middleware is not for
        return _asgi(app) if is_asgi3 else app

    _wrap_first_argument(testclient.TestClient, wrap)
    for library in ("httpx", "httpx2"):
        try:
            module = importlib.import_module(library)
        except ModuleNotFoundError:
            continue
        _wrap_first_argument(module.ASGITransport, wrap)


def flask_middleware() -> None:
    """Wrap every Flask application as docs/how-to/middleware.md has it."""

    def act(app: Any) -> None:
        app.wsgi_app = _wsgi(app.wsgi_app)

    _after(importlib.import_module("flask").Flask, act)


def flask_adapter() -> None:
    """Install the adapter in every Flask application."""
    adapter = importlib.import_module("stream_adapter_flask").StreamAdapter
    _after(importlib.import_module("flask").Flask, adapter)


def fastapi_adapter() -> None:
    """Install the adapter in every FastAPI application."""
    adapter = importlib.import_module("stream_adapter_fastapi").StreamAdapter
    _after(importlib.import_module("fastapi").FastAPI, adapter)


def werkzeug_middleware() -> None:
    """Wrap what Werkzeug's test client is given."""
    _wrap_first_argument(importlib.import_module("werkzeug.test").Client, _wsgi)


def wsgiref_middleware() -> None:
    """Wrap the application of the standard library's server, which WhiteNoise's tests use."""
    _wrap_first_argument(importlib.import_module("wsgiref.simple_server").WSGIServer, _wsgi, "set_app")


def in_place_of_a2wsgi() -> None:
    """Put `to_asgi` and `to_wsgi` in the place of a2wsgi's two classes."""
    library = importlib.import_module("stream_adapter")

    def wsgi_middleware(app: Any, *_: Any, **__: Any) -> Any:
        return library.to_asgi(app)

    def asgi_middleware(app: Any, *_: Any, **__: Any) -> Any:
        return library.to_wsgi(app)

    vars(importlib.import_module("a2wsgi.wsgi"))["WSGIMiddleware"] = wsgi_middleware
    vars(importlib.import_module("a2wsgi.asgi"))["ASGIMiddleware"] = asgi_middleware


def in_place_of_asgiref() -> None:
    """Put `to_asgi` in the place of asgiref's adapter."""
    vars(importlib.import_module("asgiref.wsgi"))["WsgiToAsgi"] = importlib.import_module("stream_adapter").to_asgi


WAYS: dict[str, Callable[[], None]] = {
    "middleware (ASGI)": asgi_middleware,
    "middleware (Flask)": flask_middleware,
    "middleware (Werkzeug)": werkzeug_middleware,
    "middleware (wsgiref)": wsgiref_middleware,
    "adapter (Flask)": flask_adapter,
    "adapter (FastAPI)": fastapi_adapter,
    "in place of a2wsgi": in_place_of_a2wsgi,
    "in place of asgiref": in_place_of_asgiref,
}
