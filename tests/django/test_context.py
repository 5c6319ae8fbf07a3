"""What a source sees of its request: variables, the language, the route names; and in which thread and loop it runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest
from django.test import AsyncClient, override_settings
from django.urls import get_script_prefix
from django.utils import timezone, translation

import stream_adapter as sa
from stream_adapter_django import path, streaming
from tests.django.support import ADAPTER, Interface, Opener, both_interfaces, urlconf, view_of
from tests.support.gate import BOUND, Gate
from tests.support.interfaces import Answer, Watcher, either_way

variable: ContextVar[str] = ContextVar("variable", default="unset")


def sets(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Sync middleware that sets what the source is to see, and needs its thread again after the view."""

    def middleware(request: HttpRequest) -> Any:
        variable.set("of the middleware")
        with translation.override("de"), timezone.override("Europe/Berlin"):
            response = get_response(request)
        response["X-Back"] = "yes"
        return response

    return middleware


SETS = f"{__name__}.sets"


def seen() -> str:
    return f"{variable.get()}, {translation.get_language()}, {timezone.get_current_timezone()}, {get_script_prefix()}"


@both_interfaces
@either_way
@pytest.mark.parametrize("mode", ["plain", "keepalive"])
def test_source_sees_variables_of_middleware(interface: Interface, way: str, mode: str) -> None:
    """With a keepalive a sync source, under WSGI, runs in a thread of the pool."""
    options: Any = {"media_type": "text/event-stream"} if mode == "keepalive" else {}

    def sync_view(request: HttpRequest) -> Any:
        yield seen()
        yield "|" + seen()

    async def async_view(request: HttpRequest) -> Any:
        yield seen()
        yield "|" + seen()

    view = streaming(**options)(sync_view if way == "sync" else async_view)
    answer = interface.get(view, middleware=[SETS], USE_I18N=True)
    assert answer.body.decode().split("|") == ["of the middleware, de, Europe/Berlin, /"] * 2
    assert answer.header("X-Back") == ["yes"]


@both_interfaces
@either_way
def test_source_sees_variables_of_its_view_and_its_own(interface: Interface, way: str) -> None:
    def sync_rows() -> Any:
        yield variable.get()
        variable.set(" of the source")
        yield variable.get()

    async def async_rows() -> Any:
        yield variable.get()
        variable.set(" of the source")
        yield variable.get()

    def view(request: HttpRequest) -> Any:
        variable.set("of the view")
        return sync_rows() if way == "sync" else async_rows()

    async def async_view(request: HttpRequest) -> Any:
        return view(request)

    for each in (view, async_view):
        assert interface.get(streaming(each)).body == b"of the view of the source"


@both_interfaces
@pytest.mark.parametrize("mode", ["decorator", "both"])
def test_a_decorated_async_view_runs_on_the_loop_of_its_source(interface: Interface, mode: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @streaming
    async def view(request: HttpRequest) -> Any:
        loops.append(asyncio.get_running_loop())

        async def rows() -> Any:
            loops.append(asyncio.get_running_loop())
            yield "row"

        return rows()

    assert interface.get(view, middleware=[ADAPTER] if mode == "both" else []).body == b"row"
    assert loops[0] is loops[1]


@both_interfaces
def test_a_decorator_around_a_decorated_async_view_changes_nothing(interface: Interface) -> None:
    async def outer(request: HttpRequest) -> Any:
        return await inner(request)

    @streaming
    async def inner(request: HttpRequest) -> Any:
        yield "row"

    assert interface.get(streaming(outer), middleware=[ADAPTER]).body == b"row"


@both_interfaces
@either_way
def test_sync_code_of_a_source_has_one_thread(interface: Interface, way: str) -> None:
    threads: set[int] = set()

    def note() -> None:
        threads.add(threading.get_ident())

    @streaming
    def sync_view(request: HttpRequest) -> Any:
        for number in range(3):
            note()
            yield f"{number}"

    @streaming
    async def async_view(request: HttpRequest) -> Any:
        for number in range(3):
            await sync_to_async(note)()
            yield f"{number}"

    answer = interface.get(sync_view if way == "sync" else async_view, middleware=[SETS])
    assert (answer.body, len(threads)) == (b"012", 1)


@both_interfaces
@either_way
def test_sync_middleware_and_source_in_one_thread_do_not_deadlock(interface: Interface, way: str) -> None:
    """The source waits, in the request's thread, until the client has the block before; the middleware needs it too."""
    gate = Gate()

    @streaming
    def sync_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}"
            async_to_sync(asyncio.sleep)(0)
            gate.wait()

    @streaming
    async def async_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}"
            await sync_to_async(gate.wait)()

    answer = interface.get(
        sync_view if way == "sync" else async_view, middleware=[SETS, ADAPTER, SETS], watcher=Opener(gate)
    )
    assert (answer.blocks, answer.header("X-Back")) == ([b"0", b"1", b"2"], ["yes"])


@either_way
def test_djangos_async_test_client_behaves_as_a_server(way: str) -> None:
    """It gives a request no thread of its own, and sync middleware keeps the one that all share."""

    @streaming
    def sync_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}" * 65536  # a block, so that each is a job of its own

    @streaming
    async def async_view(request: HttpRequest) -> Any:
        yield "0" * 65536  # the middleware, which waits for this, is done when the source has sync code
        yield await sync_to_async(lambda: "1" * 65536)()
        yield "2" * 65536

    async def run() -> bytes:
        response: Any = await AsyncClient().get("/")
        return b"".join([block async for block in response])

    routes = [path("", sync_view if way == "sync" else async_view)]
    with override_settings(ROOT_URLCONF=urlconf(routes), MIDDLEWARE=[SETS]):
        assert asyncio.run(asyncio.wait_for(run(), BOUND)) == b"0" * 65536 + b"1" * 65536 + b"2" * 65536


@pytest.mark.parametrize(("protocol", "way"), [("wsgi", "sync"), ("wsgi", "async"), ("asgi", "async")])
def test_commit_after_sends_headers_before_a_late_first_item(protocol: str, way: str) -> None:
    """A sync source under ASGI is not here: it waits in the request's thread, which the middleware needs."""
    gate = Gate()

    class StartOpens(Watcher):
        def on_start(self) -> None:
            gate.open()

    def sync_rows() -> Any:
        gate.wait()
        yield "late"

    async def async_rows() -> Any:
        await gate.wait_async()
        yield "late"

    rows = sync_rows if way == "sync" else async_rows
    view = streaming(media_type="text/plain", commit_after=0)(view_of(rows()))
    assert Interface(protocol).get(view, middleware=[SETS], watcher=StartOpens()).body == b"late"


def test_request_over_the_thread_limit_is_503() -> None:
    gate = Gate()

    def rows() -> Any:
        gate.wait()
        yield "held"

    @streaming(commit_after=0)
    def view(request: HttpRequest) -> Any:
        return rows()

    class AsksAgain(Watcher):
        answer: Answer

        def on_start(self) -> None:
            try:
                self.answer = Interface("wsgi").get(view)
            finally:
                gate.open()

    watcher = AsksAgain()
    sa.configure(max_threads=1)
    try:
        assert Interface("wsgi").get(view, watcher=watcher).body == b"held"
    finally:
        sa.configure()
    assert (watcher.answer.status, watcher.answer.header("Retry-After")) == (503, ["1"])
