"""The ASGI middleware, in process: what it changes of a stream, and that it changes nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.gate import BOUND
from tests.support.ids import stable_repr
from tests.support.interfaces import Answer, Watcher, asgi_channel, call_asgi

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]}
EVENTS: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def part(body: Any, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


END = part(b"", more=False)


def app_of(*messages: Message | BaseException, between: Callable[[], Awaitable[object]] | None = None) -> ASGIApp:
    """Make an application that sends these, and raises what is an exception."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)
            if between is not None:
                await between()

    return app


def scope_of(type_: str = "http", method: str = "GET") -> Scope:
    return {
        "type": type_,
        "asgi": {"version": "3.0"},
        "method": method,
        "headers": [],
        "query_string": b"",
        "path": "/",
    }


def sent_by(app: ASGIApp, scope: Scope | None = None) -> list[Message]:
    """Return the very messages that a server is sent."""
    receive, send, sent = asgi_channel()
    asyncio.run(asyncio.wait_for(_as_coroutine(app(scope or scope_of(), receive, send)), BOUND))
    return sent


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


LENGTH: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
WITH_TRAILERS: Message = {**START, "trailers": True}
TRAILERS: Message = {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
PATHSEND: Message = {"type": "http.response.pathsend", "path": "/a/file"}
HINT: Message = {"type": "http.response.early_hint", "links": []}


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([LENGTH, part(b"ab", more=False)], id="one part with its length"),
        pytest.param([START, part(b"ab", more=False)], id="one part"),
        pytest.param([START, END], id="no body"),
        pytest.param([LENGTH, PATHSEND], id="pathsend"),
        pytest.param([START, PATHSEND], id="pathsend without a length"),
        pytest.param([HINT, LENGTH, part(b"ab", more=False)], id="an early hint"),
        pytest.param([WITH_TRAILERS, part(b"ab", more=False), TRAILERS], id="trailers"),
        pytest.param([{**LENGTH, "x": 1}, part(b"ab", more=False)], id="unknown keys"),
    ],
)
def test_response_that_does_not_stream_passes_as_the_same_messages(messages: Sequence[Message]) -> None:
    sent = sent_by(StreamAdapterMiddleware(app_of(*messages), compress=True, strict=True))
    assert [id(message) for message in sent] == [id(message) for message in messages]


@pytest.mark.parametrize("type_", ["websocket", "lifespan"])
def test_other_protocols_have_the_servers_own_callables(type_: str) -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    receive, send, _ = asgi_channel()
    scope = scope_of(type_)
    asyncio.run(_as_coroutine(StreamAdapterMiddleware(app)(scope, receive, send)))
    assert seen == [scope, receive, send]


def test_many_small_parts_travel_together() -> None:
    answer = call_asgi(StreamAdapterMiddleware(app_of(START, *[part(b"row\n")] * 1000, END)))
    assert (answer.status, answer.body, answer.complete) == (200, b"row\n" * 1000, True)
    assert len(answer.blocks) < 5


def test_a_part_is_on_its_way_before_the_application_goes_on() -> None:
    gate = asyncio.Event()

    class Opener(Watcher):
        def on_block(self, block: bytes) -> None:
            gate.set()

    async def received() -> None:
        if not start.pop():
            await asyncio.wait_for(gate.wait(), BOUND)
            gate.clear()

    start = [False, False, False, True]  # the head waits for the first part
    answer = call_asgi(
        StreamAdapterMiddleware(app_of(START, part(b"a"), part(b"b"), part(b"c", more=False), between=received)),
        watcher=Opener(),
    )
    assert answer.blocks == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (b"a", b"a"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        ("ä", "ä".encode()),
        (1, b"1"),
        (1.5, b"1.5"),
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        (True, b"true"),
    ],
    ids=stable_repr,
)
def test_a_chunk_of_the_table_becomes_bytes(chunk: object, expected: bytes) -> None:
    assert call_asgi(StreamAdapterMiddleware(app_of(START, part(chunk), END))).body == expected


def test_text_is_encoded_in_the_charset_that_the_application_names() -> None:
    start = {**START, "headers": [(b"content-type", b"text/plain; charset=latin-1")]}
    assert call_asgi(StreamAdapterMiddleware(app_of(start, part("ä"), END))).body == b"\xe4"


@pytest.mark.parametrize(("options", "chunk"), [({"strict": True}, "text"), ({}, None), ({}, object())])
def test_a_chunk_that_cannot_be_sent_is_named_before_anything_is_sent(options: Any, chunk: object) -> None:
    answer = call_asgi(StreamAdapterMiddleware(app_of(START, part(chunk), END), **options))
    assert answer.status is None
    assert isinstance(answer.error, sa.ChunkEncodingError)
    assert str(answer.error).startswith("chunk 0: ")


def test_an_error_before_the_first_part_reaches_the_server_and_nothing_else_does() -> None:
    answer = call_asgi(StreamAdapterMiddleware(app_of(START, LookupError("early"))))
    assert (answer.status, repr(answer.error)) == (None, "LookupError('early')")


@pytest.mark.parametrize("patience", [0, 3])
def test_late_error_before_the_first_part_is_reported(patience: int) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        for _step in range(patience):
            await asyncio.sleep(0)
        raise LookupError("early")

    answer, (summary,) = summaries_of(app)
    assert (answer.status, repr(answer.error)) == (None, "LookupError('early')")
    assert (summary.reason, summary.chunks, summary.error) == ("error", 0, answer.error)


def test_a_later_error_reaches_the_server_and_the_response_does_not_end_in_form() -> None:
    error = LookupError("late")
    receive, send, sent = asgi_channel()
    with pytest.raises(LookupError) as raised:
        asyncio.run(_as_coroutine(StreamAdapterMiddleware(app_of(START, part(b"a"), error))(scope_of(), receive, send)))
    assert raised.value is error
    assert next(message["body"] for message in sent if message.get("body")) == b"a"
    assert not any(message.get("more_body") is False for message in sent)


def test_application_that_returns_too_soon_breaks_the_response() -> None:
    answer = call_asgi(StreamAdapterMiddleware(app_of(START, part(b"a"))))
    assert not answer.complete
    assert isinstance(answer.error, (RuntimeError, AssertionError))


def summaries_of(app: ASGIApp, **how: Any) -> tuple[Answer, list[sa.StreamSummary]]:
    summaries: list[sa.StreamSummary] = []
    options = how.pop("options", {})
    answer = call_asgi(StreamAdapterMiddleware(app, on_close=summaries.append, **options), **how)
    return answer, summaries


def test_on_close_gets_the_reason_of_the_end() -> None:
    _, (summary,) = summaries_of(app_of(START, part(b"a"), part(b"bc"), END))
    assert (summary.reason, summary.chunks, summary.bytes_sent) == ("done", 2, 3)
    assert summary.time_to_first_chunk is not None
    assert summary.duration >= summary.time_to_first_chunk


def test_on_close_is_not_called_for_a_response_that_does_not_stream() -> None:
    assert summaries_of(app_of(LENGTH, part(b"ab", more=False)))[1] == []


async def never() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("sends", [True, False], ids=["sending", "silent"])
def test_an_application_is_cancelled_when_its_client_has_gone(sends: bool) -> None:
    ended: list[str] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        try:
            await send(START)
            while True:
                await send(part(b"a" * 1000))
                if not sends:
                    await never()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    answer, (summary,) = summaries_of(app, leave_after=1)
    assert (ended, summary.reason, answer.error) == (["cancelled"], "disconnect", None)


def test_application_that_ignores_its_cancellation_gets_oserror_from_send() -> None:
    raised: list[BaseException] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"a"))
        try:
            await never()
        except asyncio.CancelledError:
            try:
                await send(part(b"b"))
            except OSError as error:
                raised.append(error)
                raise

    answer, (summary,) = summaries_of(app, leave_after=1)
    assert answer.error is None, "the server has nothing to learn from that"
    assert isinstance(raised[0], ConnectionResetError)
    assert summary.reason == "disconnect"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(sa.Limits(idle_timeout=0.05), "idle_timeout"), (sa.Limits(total_timeout=0.05), "total_timeout")],
)
def test_a_deadline_ends_an_application_that_is_silent(limits: sa.Limits, reason: str) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"a"))
        await never()

    answer, (summary,) = summaries_of(app, options={"limits": limits})
    assert (summary.reason, answer.complete) == (reason, False)
    assert isinstance(answer.error, (sa.StreamTimeoutError, AssertionError))


def test_the_servers_cancellation_reaches_the_application_and_comes_back() -> None:
    seen: list[str] = []

    async def main() -> None:
        receive, send, sent = asgi_channel()
        begun = asyncio.Event()

        async def app(_: Scope, __: Receive, send: Send) -> None:
            await send(START)
            await send(part(b"a"))
            begun.set()
            try:
                await never()
            finally:
                seen.append("finally")

        serving = asyncio.ensure_future(StreamAdapterMiddleware(app)(scope_of(), receive, send))
        await asyncio.wait_for(begun.wait(), BOUND)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert serving.cancelled()
        assert not any(message.get("more_body") is False for message in sent)

    asyncio.run(main())
    assert seen == ["finally"]


def test_the_application_runs_in_the_servers_context_and_task() -> None:
    variable = ContextVar("variable", default="unset")

    async def app(_: Scope, __: Receive, send: Send) -> None:
        assert variable.get() == "outside"
        assert asyncio.current_task() is tasks[0]
        await send(START)
        await send(part(b"a"))
        variable.set("inside")
        await send(END)

    tasks: list[object] = []

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        variable.set("outside")
        tasks.append(asyncio.current_task())
        await StreamAdapterMiddleware(app)(scope, receive, send)
        assert variable.get() == "inside"

    assert call_asgi(outer).complete


def test_the_scope_is_the_servers_own_object() -> None:
    async def app(scope: Scope, _: Receive, send: Send) -> None:
        scope["route"] = "/a"
        await send(LENGTH)
        await send(part(b"ab", more=False))

    scope = scope_of()
    sent_by(StreamAdapterMiddleware(app), scope)
    assert scope["route"] == "/a"


def test_work_after_the_last_part_runs_after_it_was_sent() -> None:
    receive, send, sent = asgi_channel()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"a"))
        await send(END)
        assert sent[-1]["more_body"] is False

    asyncio.run(_as_coroutine(StreamAdapterMiddleware(app)(scope_of(), receive, send)))


def test_trailers_are_passed_on_after_the_last_part() -> None:
    sent = sent_by(StreamAdapterMiddleware(app_of(WITH_TRAILERS, part(b"a"), END, TRAILERS)))
    assert sent[0]["trailers"] is True
    assert sent[-1] is TRAILERS
    assert sent[-2]["more_body"] is False


def test_pathsend_may_come_after_the_start() -> None:
    async def pause() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    sent = sent_by(StreamAdapterMiddleware(app_of(START, PATHSEND, between=pause)))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.pathsend"]


def test_a_head_request_is_answered_without_waiting_for_the_end_of_an_endless_stream() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send(part(b"a"))

    answer, (summary,) = summaries_of(app, method="HEAD")
    assert (answer.status, answer.body, answer.complete, answer.error) == (200, b"", True, None)
    assert summary.reason == "done"


async def _nothing() -> None:
    pass


def in_turn(*waits: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Make a function that waits for another thing each time."""
    left = iter(waits)

    async def wait() -> None:
        await asyncio.wait_for(_any(next(left)()), BOUND)

    return wait


async def _any(awaitable: Awaitable[object]) -> None:
    await awaitable


class Clock(Watcher):
    """Counts the blocks that are keepalives."""

    def __init__(self, opened: asyncio.Event, enough: int) -> None:
        self.opened, self.left = opened, enough

    def on_block(self, block: bytes) -> None:
        self.left -= block == b":\n"
        if not self.left:
            self.opened.set()


def test_a_silent_event_stream_is_kept_alive() -> None:
    heard = asyncio.Event()
    app = app_of(
        EVENTS, part(b"data: a\n\n"), part(b"data: b\n\n", more=False), between=in_turn(_nothing, heard.wait, _nothing)
    )
    answer = call_asgi(StreamAdapterMiddleware(app, keepalive=0.01), watcher=Clock(heard, 3))
    assert answer.body.replace(b":\n", b"") == b"data: a\n\ndata: b\n\n"
    assert answer.blocks[0] == b"data: a\n\n"
    assert answer.header("cache-control") == ["no-store, no-transform"]
    assert answer.header("x-accel-buffering") == ["no"]


def test_silent_event_stream_is_started_by_a_keepalive() -> None:
    heard = asyncio.Event()
    app = app_of(EVENTS, part(b"data: a\n\n", more=False), between=in_turn(heard.wait, _nothing))
    answer = call_asgi(StreamAdapterMiddleware(app, keepalive=0.01), watcher=Clock(heard, 1))
    assert answer.blocks[0] == b":\n"
    assert answer.blocks[-1] == b"data: a\n\n"


def test_keepalive_is_not_sent_inside_an_unfinished_event() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(EVENTS)
        await send(part(b"data: a"))
        await asyncio.sleep(0.1)  # long enough for nine keepalives, were they allowed
        await send(part(b"\n\n"))
        await asyncio.wait_for(heard.wait(), BOUND)
        await send(END)

    heard = asyncio.Event()
    answer = call_asgi(StreamAdapterMiddleware(app, keepalive=0.01), watcher=Clock(heard, 1))
    assert answer.body.startswith(b"data: a\n\n:\n")


def test_cache_control_of_the_application_is_kept() -> None:
    start = {**EVENTS, "headers": [*EVENTS["headers"], (b"cache-control", b"no-cache")]}
    answer = call_asgi(StreamAdapterMiddleware(app_of(start, part(b"data: a\n\n"), END)))
    assert answer.header("cache-control") == ["no-cache"]


def test_a_request_body_can_be_read_while_the_response_is_streamed() -> None:
    parts = [b"a" * 40_000, b"b" * 40_000, b"c" * 40_000]

    async def echo(_: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        more = True
        while more:
            message = await receive()
            await send(part(message["body"]))
            more = message["more_body"]
        await send(END)
        ended.append(await receive())

    async def main() -> list[Message]:
        _, send, sent = asgi_channel()
        left = iter(parts)
        taken = 0

        async def receive() -> Message:
            nonlocal taken
            for body in left:
                taken += 1
                return {"type": "http.request", "body": body, "more_body": taken < len(parts)}
            while not any(message.get("more_body") is False for message in sent):  # noqa: ASYNC110  # there is not an event to wait for
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        await StreamAdapterMiddleware(echo)(scope_of(), receive, send)
        return sent

    ended: list[Message] = []
    sent = asyncio.run(asyncio.wait_for(main(), BOUND))
    assert b"".join(message.get("body", b"") for message in sent) == b"".join(parts)
    assert ended == [{"type": "http.disconnect"}]


def test_unread_request_body_is_not_received() -> None:
    async def main() -> int:
        _, send, _sent = asgi_channel()
        taken = 0

        async def receive() -> Message:
            nonlocal taken
            taken += 1
            return {"type": "http.request", "body": b"a" * 40_000, "more_body": True}

        async def app(_: Scope, __: Receive, send: Send) -> None:
            await send(START)
            for _step in range(100):
                await send(part(b"a"))
                await asyncio.sleep(0)
            await send(END)

        await StreamAdapterMiddleware(app)(scope_of(), receive, send)
        return taken

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"strict": 1}, TypeError, "strict: expected True or False, got int"),
        ({"compress": "gzip"}, TypeError, "compress: expected True or False, got str"),
        ({"live": "text/html"}, TypeError, "live: expected a collection of media types, got str"),
        ({"live": ["html"]}, ValueError, "media_type: expected type/subtype such as 'text/csv', got 'html'"),
        ({"keepalive": 0}, ValueError, "keepalive: expected more than 0 seconds or None, got 0"),
        ({"limits": 3}, TypeError, "limits: expected Limits(…), got int"),
        ({"on_close": 3}, TypeError, "on_close: expected a function, got int"),
        ({"compression": True}, TypeError, "unexpected keyword argument 'compression'"),
    ],
)
def test_a_wrong_option_is_an_error_where_it_is_written(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        StreamAdapterMiddleware(app_of(), **options)
    assert message in str(raised.value)
