"""An ASGI application under WSGI, until it first waits: an answer that is complete then is sent without the pump."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

import stream_adapter as sa
from stream_adapter._adapters import asgi_source, to_wsgi
from stream_adapter._pump import ThreadWaker
from stream_adapter._server_sockets import client_connection
from stream_adapter.types import ASGIApp, Receive, Scope, Send
from tests.adapters.wsgi_client import environ_for, open_reply, reply_of
from tests.support.gate import Gate

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def http(respond: ASGIApp) -> ASGIApp:
    """Make an application that knows no lifespan."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await respond(scope, receive, send)

    return app


def answering(body: bytes, *, waits: bool = False) -> ASGIApp:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        assert asyncio.current_task() is not None
        if waits:
            await asyncio.sleep(0)
        await send(START)
        await send({"type": "http.response.body", "body": body})

    return http(app)


def refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("the pump was used")


def test_answer_complete_before_the_first_wait_needs_no_pump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_wsgi, "SyncBody", refuse)
    assert reply_of(sa.to_wsgi(answering(b"all"))) == ("200 OK", {"content-type": "text/plain"}, b"all")
    assert reply_of(sa.to_wsgi(answering(b"")))[2] == b""
    assert reply_of(sa.to_wsgi(answering(b"all")), environ_for(REQUEST_METHOD="HEAD"))[2] == b""


@pytest.mark.parametrize("waits", [False, True])
def test_answer_that_waits_or_is_large_or_reported_arrives_whole(waits: bool) -> None:
    large = bytes(300_000)
    assert reply_of(sa.to_wsgi(answering(large, waits=waits)))[2] == large
    summaries: list[sa.StreamSummary] = []
    assert reply_of(sa.to_wsgi(answering(b"all", waits=waits), on_close=summaries.append))[2] == b"all"
    assert [(summary.reason, summary.bytes_sent) for summary in summaries] == [("done", 3)]


def test_part_sent_before_the_first_wait_arrives_before_the_next_is_sent() -> None:
    taken = Gate()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two ", "more_body": True})
        await taken.wait_async()
        await send({"type": "http.response.body", "body": b"three"})

    with open_reply(sa.to_wsgi(http(app))) as reply:
        received = b""
        while received != b"one two ":
            received += next(reply.blocks)
        taken.open()
        assert b"".join(reply.blocks) == b"three"


def test_work_after_an_answer_that_was_complete_at_once_goes_on() -> None:
    answered, done = Gate(), Gate()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"all"})
        await answered.wait_async()
        done.open()

    assert reply_of(sa.to_wsgi(http(app)))[2] == b"all"
    answered.open()
    done.wait()


def test_first_step_that_blocks_the_loop_is_left_to_the_pump(monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        left.wait()  # blocks the loop: the thread does not wait for it without limit
        await send(START)
        await send({"type": "http.response.body", "body": b"all"})

    def on_left(environ: Any) -> Any:
        left.set()
        return client_connection(environ)

    monkeypatch.setattr(to_wsgi, "client_connection", on_left)
    assert reply_of(sa.to_wsgi(http(app)))[2] == b"all"


def test_thread_that_is_interrupted_cancels_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Gate()

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.open()

    class Interrupted(ThreadWaker):
        def wait(self, ready: Callable[[], object], timeout: float | None = None) -> NoReturn:
            raise KeyboardInterrupt

    monkeypatch.setattr(asgi_source, "ThreadWaker", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        reply_of(sa.to_wsgi(http(app)))
    ended.wait()
