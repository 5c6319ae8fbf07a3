"""One request to a Django application in process, through its WSGI and its ASGI handler."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.test import override_settings
from django.urls import path

from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.gate import Gate
from tests.support.interfaces import INTERFACES, Answer, Watcher

ADAPTER = "stream_adapter_django.StreamAdapter"
ROWS = 300  # in the database of the servers


@dataclass
class Interface:
    """Django's handler for one protocol."""

    name: str

    def get(
        self,
        view: Callable[..., Any] | Sequence[Any],
        *,
        middleware: Sequence[str] = (),
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        leave_after: int | None = None,
        watcher: Watcher | None = None,
        **settings: Any,
    ) -> Answer:
        """Ask for "/", where `view` is, or where the list of routes that it is leads."""
        routes = [path("", view)] if callable(view) else view
        with override_settings(ROOT_URLCONF=urlconf(routes), MIDDLEWARE=list(middleware), **settings):
            app: Any = WSGIHandler() if self.name == "wsgi" else as_servers_see_it(ASGIHandler())
            call = INTERFACES[self.name]
            asked = partial(call, method=method, headers=headers, leave_after=leave_after)
            return copy_context().run(asked, app, watcher=watcher or Watcher())  # a request has a context of its own


def view_of(result: Any) -> Callable[[HttpRequest], Any]:
    """Return a view that returns it."""

    def view(request: HttpRequest) -> Any:
        return result

    return view


def urlconf(routes: Sequence[Any]) -> ModuleType:
    module = ModuleType("urlconf")
    module.urlpatterns = list(routes)  # type: ignore[attr-defined]  # what makes it a URLconf
    return module


def as_servers_see_it(app: Any) -> ASGIApp:
    """Django keeps the case of header names, and leaves out what has a default; servers mend that, and so does this."""

    async def mended(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_mended(message: Message) -> None:
            if "headers" in message:
                message = {**message, "headers": [(name.lower(), value) for name, value in message["headers"]]}
            await send({"more_body": False, "body": b"", **message} if message["type"].endswith("body") else message)

        await app(scope, receive, send_mended)

    return mended


@contextmanager
def exceptions() -> Generator[list[BaseException]]:
    """Collect what Django turns into a 500."""
    caught: list[BaseException] = []

    def receive(**_: object) -> None:
        error = sys.exception()
        assert error is not None
        caught.append(error)

    got_request_exception.connect(receive)
    try:
        yield caught
    finally:
        got_request_exception.disconnect(receive)


class Opener(Watcher):
    """Opens a gate for each block that the client receives."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def on_block(self, block: bytes) -> None:
        self._gate.open()


BOTH = {name: Interface(name) for name in INTERFACES}
both_interfaces: Callable[[Any], Any] = pytest.mark.parametrize("interface", BOTH.values(), ids=BOTH)
