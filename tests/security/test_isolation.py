"""What stands at module level serves two users, at once and one after the other, and neither sees the other's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any, cast

import flask
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import path
from fastapi import FastAPI
from werkzeug.datastructures import Headers

import stream_adapter as sa
import stream_adapter_django
import stream_adapter_fastapi
import stream_adapter_flask
from stream_adapter.formats import CSV, NDJSON, SSE
from tests.django.support import as_servers_see_it, urlconf
from tests.security.apps.users import DEFAULTS, django_view, fastapi_app, flask_wsgi
from tests.support.gate import BOUND
from tests.support.interfaces import Answer, call_asgi, call_wsgi

HEADERS = Headers([("X-Shared", "yes"), ("Set-Cookie", "theme=dark"), ("Vary", "Accept-Language")])
EVENT, LIMITS = sa.ServerSentEvent({"a": [1]}, id="1"), sa.Limits(high_water=1024)
FORMATS = {"ndjson": NDJSON(), "csv": CSV(header=["a"]), "sse": SSE(keepalive=None)}
SHARED: dict[str, sa.Response] = {
    "chunks": sa.Response(["a", "b"], headers=HEADERS, limits=LIMITS),
    "items": sa.Response([{"a": 1}], headers=HEADERS, format=FORMATS["ndjson"]),
    "unnamed items": sa.Response([{"a": 1}], headers=HEADERS),
    "rows": sa.csv([{"a": 1}], headers=HEADERS, format=FORMATS["csv"]),
    "events": sa.sse([EVENT], headers=HEADERS, format=FORMATS["sse"]),
    "a whole body": sa.text("hello", headers=HEADERS),
    "a file": sa.file(Path(__file__), headers=HEADERS),
}
APPS = ["plain", "Flask", "Django", "FastAPI"]
PROTOCOLS = ["wsgi", "asgi"]
ROUNDS = 8


@contextmanager
def django_app(protocol: str, shared: sa.Response) -> Generator[Any]:
    routes = urlconf([path("", django_view(shared))])
    with override_settings(ROOT_URLCONF=routes, MIDDLEWARE=["tests.security.apps.users.identify"]):
        yield WSGIHandler() if protocol == "wsgi" else as_servers_see_it(ASGIHandler())


@contextmanager
def served(app: str, protocol: str, shared: sa.Response) -> Generator[Any]:
    """Give the application, by its own protocol or through the whole-app adapter for the other."""
    if app == "plain":
        yield shared.wsgi if protocol == "wsgi" else shared.asgi
    elif app == "Flask":
        yield flask_wsgi(shared) if protocol == "wsgi" else sa.to_asgi(flask_wsgi(shared))
    elif app == "FastAPI":
        yield fastapi_app(shared) if protocol == "asgi" else sa.to_wsgi(fastapi_app(shared))
    else:
        with django_app(protocol, shared) as django:
            yield django


_SIMPLE: tuple[type, ...] = (str, bytes, int, float, Path, FunctionType, partial)


def snapshot(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Return all that an object holds, however deep, such that a later change of it shows."""
    if id(value) in seen or isinstance(value, (*_SIMPLE, type(None), type)):
        return repr(value)
    seen |= {id(value)}
    if isinstance(value, sa.Response):
        _ = value.headers  # which are made when they are first read
    if isinstance(value, (dict, MappingProxyType)):
        pairs = cast("Any", value).items()
        return [(snapshot(key, seen), snapshot(item, seen)) for key, item in pairs]
    if isinstance(value, (list, tuple, set, frozenset, Headers)):
        return [snapshot(item, seen) for item in cast("Any", value)]
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()) if hasattr(value, name)]
    fields = {**{name: getattr(value, name) for name in slots}, **getattr(value, "__dict__", {})}
    fields.pop("_filled_in", None)  # a memo of frozen options: what two of them give together
    return type(value).__name__, {name: snapshot(field, seen) for name, field in fields.items()}


def ask(app: Any, protocol: str, user: str | None) -> Answer:
    call = call_wsgi if protocol == "wsgi" else call_asgi
    return call(app, headers=[] if user is None else [("X-User", user)])


def check(answer: Answer, user: str | None, *, is_plain: bool) -> None:
    """Check that an answer has what belongs to its user, to all users, and nothing else."""
    assert (answer.error, answer.complete) == (None, True)
    cookies = sorted(cookie.partition(";")[0].strip() for cookie in answer.header("set-cookie"))
    own = [] if user is None or is_plain else [user]
    assert cookies == [*(f"session={name}" for name in own), "theme=dark"]
    assert answer.header("x-who") == own
    assert answer.header("x-shared") == ["yes"]
    assert answer.status == (203 if own else 200)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("name", SHARED)
def test_shared_response_serves_users_one_after_the_other_and_at_once(app: str, protocol: str, name: str) -> None:
    before = snapshot([SHARED, HEADERS, EVENT, LIMITS, FORMATS, DEFAULTS])
    both = threading.Barrier(2)

    def visit(user: str) -> list[Answer]:
        both.wait(BOUND)
        return [ask(running, protocol, user) for _ in range(ROUNDS)]

    with served(app, protocol, SHARED[name]) as running:
        for user in (None, "alice", None, "bob", "alice", None):
            check(ask(running, protocol, user), user, is_plain=app == "plain")
        with ThreadPoolExecutor(2) as pool:
            visits = {user: pool.submit(visit, user) for user in ("alice", "bob")}
        for user, answers in visits.items():
            for answer in answers.result():
                check(answer, user, is_plain=app == "plain")
        check(ask(running, protocol, None), None, is_plain=app == "plain")
    assert snapshot([SHARED, HEADERS, EVENT, LIMITS, FORMATS, DEFAULTS]) == before


def test_snapshot_shows_a_change_however_deep() -> None:
    response = sa.sse([EVENT], headers=HEADERS)
    changes: list[Callable[[], object]] = [
        lambda: response.headers.add("X", "1"),
        lambda: setattr(response.format, "keepalive", 1.0),
        lambda: setattr(response, "status_code", 201),
    ]
    for change in changes:
        before = snapshot({"shared": response})
        change()
        assert snapshot({"shared": response}) != before


def rows_of_django(request: Any) -> Any:
    yield b"a"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("way", ["decorator", "setting", "Flask's adapter", "FastAPI's adapter", "Flask's decorator"])
def test_headers_given_as_a_generator_are_sent_to_every_user(way: str, protocol: str) -> None:
    def headers() -> Any:
        yield from [("X-A", "1"), ("X-A", "2")]

    call = call_wsgi if protocol == "wsgi" else call_asgi
    with ExitStack() as stack:
        app: Any
        if way in {"decorator", "setting"}:
            options: Any = {"headers": headers()}
            decorator: Any = stream_adapter_django.streaming(**options) if way == "decorator" else None
            view = (decorator or stream_adapter_django.streaming)(rows_of_django)
            settings: Any = {"STREAM_ADAPTER": options} if way == "setting" else {}
            stack.enter_context(override_settings(ROOT_URLCONF=urlconf([path("", view)]), MIDDLEWARE=[], **settings))
            app = WSGIHandler() if protocol == "wsgi" else as_servers_see_it(ASGIHandler())
        elif way == "FastAPI's adapter":
            fastapi = FastAPI()
            stream_adapter_fastapi.StreamAdapter(fastapi, headers=headers())
            fastapi.get("/")(lambda: iter([b"a"]))
            app = fastapi if protocol == "asgi" else sa.to_wsgi(fastapi)
        else:
            by_flask = flask.Flask("headers")
            if way == "Flask's adapter":
                stream_adapter_flask.StreamAdapter(by_flask, headers=headers())
                by_flask.get("/")(lambda: iter([b"a"]))
            else:
                by_flask.get("/")(stream_adapter_flask.streaming(headers=headers())(lambda: iter([b"a"])))
            app = by_flask.wsgi_app if protocol == "wsgi" else sa.to_asgi(by_flask.wsgi_app)
        sent = [", ".join(call(app).header("x-a")) for _ in range(2)]  # Django joins the lines of a field
        assert sent == ["1, 2", "1, 2"]
