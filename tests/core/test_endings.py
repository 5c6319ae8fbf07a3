"""However a stream ends, its source is closed once, without the collector, and on_close gets the reason."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest

import stream_adapter as sa
from stream_adapter.integration import AsyncBody, StreamAborted, SyncBody
from stream_adapter.types import Message
from tests.support.gate import BOUND, Gate
from tests.support.interfaces import (
    SOURCES,
    Answer,
    Call,
    asgi_channel,
    call_asgi,
    call_wsgi,
    either_interface,
    either_way,
    four_paths,
)
from tests.support.sources import as_async


@pytest.fixture(autouse=True)
def without_the_garbage_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Failure(Exception):
    """What a source of these tests raises."""


@dataclass(frozen=True)
class Ending:
    """A way in which a stream ends, and what is to be seen of it."""

    items: Callable[[], Iterable[object]]
    reason: str
    chunks: int | None
    body: bytes | None = None
    error: type[Exception] | None = None
    method: str = "GET"
    status: int = 200
    leave_after: int | None = None
    options: dict[str, object] = field(default_factory=dict[str, object])


ENDINGS: dict[str, Ending] = {
    "the end": Ending(lambda: [b"a", b"bc"], "done", 2, b"abc"),
    "an empty source": Ending(list, "done", 0, b""),
    "an error before the first item": Ending(lambda: [Failure()], "error", 0, error=Failure),
    "an error after two": Ending(lambda: [b"a", b"b", Failure()], "error", 2, b"ab", Failure),
    "a first item that cannot be sent": Ending(lambda: [None], "error", 0, error=sa.ChunkEncodingError),
    "a third item that cannot be sent": Ending(lambda: [b"a", b"b", None], "error", 2, b"ab", sa.ChunkEncodingError),
    "a client that leaves": Ending(lambda: itertools.repeat(b"x"), "disconnect", None, leave_after=3),
    "HEAD": Ending(lambda: [b"a"], "done", 0, b"", method="HEAD"),
    "204": Ending(lambda: [b"a"], "done", 0, b"", status=204),
    "304": Ending(lambda: [b"a"], "done", 0, b"", status=304),
    "a total timeout": Ending(
        lambda: itertools.repeat(b"x"),
        "total_timeout",
        None,
        error=sa.StreamTimeoutError,
        options={"limits": sa.Limits(total_timeout=0.05)},
    ),
}


@four_paths
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_every_ending_closes_the_source_once_and_reports_its_reason(ending: Ending, way: str, call: Call) -> None:
    source = SOURCES[way](ending.items())
    summaries: list[sa.StreamSummary] = []
    closes_at_report: list[int] = []

    def on_close(summary: sa.StreamSummary) -> None:
        summaries.append(summary)
        closes_at_report.append(source.closes)

    response = sa.Response(source, status_code=ending.status, on_close=on_close, **ending.options)  # type: ignore[arg-type]  # a table of options
    answer = call(response, method=ending.method, leave_after=ending.leave_after)

    assert source.closes == 1
    assert closes_at_report == [1], "on_close is called once, after the source is closed"
    (summary,) = summaries
    assert summary.reason == ending.reason
    assert (type(summary.error) if summary.error else None) == ending.error
    raised: BaseException | None = answer.error
    if isinstance(raised, RuntimeError):  # a WSGI server takes a time-out before the first item for a disconnect
        raised = raised.__cause__
    assert (type(raised) if raised else None) == ending.error
    assert answer.complete == (ending.reason == "done")
    if ending.body is not None:
        assert answer.body == ending.body
        assert summary.bytes_sent == len(ending.body)
    if ending.chunks is not None:
        assert summary.chunks == ending.chunks
        assert (summary.time_to_first_chunk is None) == (ending.chunks == 0)
    assert summary.duration >= (summary.time_to_first_chunk or 0) >= 0
    if ending.error is not None and ending.body is None and ending.reason == "error":
        assert answer.status is None, "nothing was sent: the error is the server's to answer"


@either_way
def test_a_body_that_is_never_started_is_closed_once_under_a_sync_interface(way: str) -> None:
    source, reasons = SOURCES[way]([b"a"]), list[str]()
    body = SyncBody(sa.Response(source, on_close=lambda summary: reasons.append(summary.reason)).resolve())
    body.close()
    body.close()
    assert (source.steps, source.closes, reasons) == (0, 1, ["not_started"])


@either_way
def test_a_body_that_is_never_started_is_closed_once_under_an_async_interface(way: str) -> None:
    source, reasons = SOURCES[way]([b"a"]), list[str]()

    async def never_start() -> None:
        body = AsyncBody(sa.Response(source, on_close=lambda summary: reasons.append(summary.reason)).resolve())
        await body.aclose()
        await body.aclose()

    asyncio.run(never_start())
    assert (source.steps, source.closes, reasons) == (0, 1, ["not_started"])


@either_way
def test_a_body_that_is_started_and_not_iterated_is_closed_once(way: str) -> None:
    under_sync, under_async = SOURCES[way]([b"a", b"b"]), SOURCES[way]([b"a", b"b"])
    body = SyncBody(sa.Response(under_sync).resolve())
    body.start()
    body.close()

    async def only_start() -> None:
        body = AsyncBody(sa.Response(under_async).resolve())
        await body.start()
        await body.aclose()

    asyncio.run(only_start())
    assert (under_sync.closes, under_async.closes) == (1, 1)


@either_way
def test_shutdown_breaks_the_stream_and_is_reported(way: str) -> None:
    source, reasons = SOURCES[way](itertools.repeat(b"x")), list[str]()

    async def shut_down() -> None:
        body = AsyncBody(sa.Response(source, on_close=lambda summary: reasons.append(summary.reason)).resolve())
        await body.next()
        body.interrupt("shutdown")
        with pytest.raises(StreamAborted, match="the stream was ended: shutdown"):
            while await body.next() is not None:
                pass
        await body.aclose()

    asyncio.run(shut_down())
    assert (source.closes, reasons) == (1, ["shutdown"])


@either_way
def test_send_timeout_ends_the_stream_without_an_error(way: str, caplog: pytest.LogCaptureFixture) -> None:
    source, reasons = SOURCES[way](itertools.repeat(b"x")), list[str]()
    scope = {"type": "http", "method": "GET", "path": "/rows"}

    async def call() -> None:
        receive, _, _ = asgi_channel()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.get_running_loop().create_future()

        limits = sa.Limits(send_timeout=0.05)
        response = sa.Response(source, limits=limits, on_close=lambda summary: reasons.append(summary.reason))
        await asyncio.wait_for(response.asgi(scope, receive, send), BOUND)  # and the server closes the connection

    with caplog.at_level(logging.INFO, "stream_adapter"):
        asyncio.run(call())
    assert (source.closes, reasons) == (1, ["send_timeout"])
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.INFO, None)
    assert record.getMessage().startswith(f"GET /rows ({type(source).__name__}): the client took nothing for 0.05 s (")
    assert record.getMessage().endswith("; closing the connection")


@four_paths
def test_a_source_that_is_silent_for_too_long_is_an_idle_timeout(way: str, call: Call) -> None:
    gate, reasons, closed = Gate(), list[str](), list[str]()

    def silent() -> Iterator[bytes]:
        try:
            yield b"a"
            gate.wait()
        finally:
            closed.append(way)

    async def async_silent() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await gate.wait_async()
        finally:
            closed.append(way)

    answer = call(
        sa.Response(
            silent() if way == "sync" else async_silent(),
            limits=sa.Limits(idle_timeout=0.5),
            on_error=lambda _: gate.open(),  # what a sync source waits for; nothing else could end it
            on_close=lambda summary: reasons.append(summary.reason),
        )
    )
    assert answer.body == b"a"
    assert isinstance(answer.error, sa.StreamTimeoutError)
    assert isinstance(answer.error, TimeoutError)
    assert (reasons, closed) == (["idle_timeout"], [way])


@pytest.mark.parametrize(("call", "leave_after"), [(call_wsgi, 1), (call_asgi, 1), (call_asgi, 0)])
def test_an_async_source_that_waits_is_closed_when_the_client_leaves(call: Call, leave_after: int) -> None:
    closed: list[str] = []

    async def waits() -> AsyncIterator[bytes]:
        try:
            if leave_after:
                yield b"a"
            await Gate().wait_async()
        finally:
            closed.append("closed")

    answer = call(sa.Response(waits()), leave_after=leave_after)
    assert (len(answer.blocks), closed, answer.error) == (leave_after, ["closed"], None)


@four_paths
def test_the_finally_of_a_generator_runs_once_on_every_path(way: str, call: Call) -> None:
    finals: list[str] = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            finals.append("closed")

    call(sa.Response(endless() if way == "sync" else as_async(endless())), leave_after=1)
    assert finals == ["closed"]


@four_paths
def test_a_source_that_fails_to_close_is_logged_and_does_not_hurt_the_response(
    way: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    source = SOURCES[way]([b"a"])

    def fails() -> None:
        raise Failure("in close")

    async def fails_async() -> None:
        raise Failure("in close")

    setattr(source, "close" if way == "sync" else "aclose", fails if way == "sync" else fails_async)
    answer = call(sa.Response(source))
    assert (answer.body, answer.complete, answer.error) == (b"a", True, None)
    assert "the source failed to close" in caplog.text


@four_paths
def test_a_failing_on_close_is_logged_and_does_not_hurt_the_response(
    way: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    def on_close(_: sa.StreamSummary) -> None:
        raise Failure("in on_close")

    answer = call(sa.Response(SOURCES[way]([b"a"]), on_close=on_close))
    assert (answer.body, answer.complete, answer.error) == (b"a", True, None)
    assert "on_close failed" in caplog.text


@four_paths
def test_an_async_on_close_is_awaited(way: str, call: Call) -> None:
    reasons: list[str] = []

    async def on_close(summary: sa.StreamSummary) -> None:
        await asyncio.sleep(0)
        reasons.append(summary.reason)

    call(sa.Response(SOURCES[way]([b"a"]), on_close=on_close))
    assert reasons == ["done"]


@four_paths
def test_on_error_may_send_a_last_chunk_and_the_response_still_breaks(way: str, call: Call) -> None:
    caught: list[BaseException] = []

    def on_error(error: BaseException) -> str:
        caught.append(error)
        return "sorry"

    answer = call(sa.text(SOURCES[way](["a", Failure("secret")]), on_error=on_error))
    assert answer.body == b"asorry"
    assert not answer.complete
    assert isinstance(answer.error, Failure)
    assert caught == [answer.error]


@four_paths
def test_on_error_is_not_asked_about_an_error_before_commit(way: str, call: Call) -> None:
    asked: list[BaseException] = []
    answer = call(sa.Response(SOURCES[way]([Failure()]), on_error=asked.append))
    assert isinstance(answer.error, Failure)
    assert asked == []


RECORDS: list[tuple[Callable[..., sa.Response], bytes]] = [
    (
        sa.ndjson,
        b'1\n{"error":{"type":"about:blank","title":"Internal Server Error","status":500}}\n',
    ),
    (
        sa.sse,
        (
            b"retry: 2000\ndata: 1\n\n"
            b'event: error\ndata: {"type":"about:blank","title":"Internal Server Error","status":500}\n\n'
        ),
    ),
    (sa.text, b"1"),
]


@four_paths
@pytest.mark.parametrize(("shortcut", "body"), RECORDS, ids=["ndjson", "sse", "text"])
def test_failure_record_of_a_format_does_not_contain_the_exception_text(
    shortcut: Callable[..., sa.Response], body: bytes, way: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    answer: Answer = call(shortcut(SOURCES[way]([1, Failure("secret")])))
    assert answer.body == body
    assert isinstance(answer.error, Failure)
    assert not answer.complete
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[1] is answer.error


@either_interface
def test_a_failing_on_error_is_logged_and_the_formats_own_record_goes_out(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    def on_error(_: BaseException) -> None:
        raise ZeroDivisionError

    answer = call(sa.ndjson(SOURCES["sync"]([1, Failure()]), on_error=on_error))
    assert answer.body.endswith(b'"status":500}}\n')
    assert isinstance(answer.error, Failure)
    assert "on_error failed" in caplog.text


@either_way
def test_iter_bytes_closes_its_source_once(way: str) -> None:
    source = SOURCES[way](itertools.repeat(b"x"))
    chunks = sa.iter_bytes(source)
    assert next(chunks) == b"x"
    chunks.close()
    chunks.close()
    exhausted = SOURCES[way]([b"a"])
    assert list(sa.iter_bytes(exhausted)) == [b"a"]
    failing = SOURCES[way]([b"a", Failure()])
    with pytest.raises(Failure):
        list(sa.iter_bytes(failing))
    unread = SOURCES[way]([b"a"])
    sa.iter_bytes(unread).close()
    assert [source.closes, exhausted.closes, failing.closes, unread.closes] == [1, 1, 1, 1]


@either_way
def test_aiter_bytes_closes_its_source_once(way: str) -> None:
    source, exhausted, failing, unread = (
        SOURCES[way](items) for items in (itertools.repeat(b"x"), [b"a"], [b"a", Failure()], [b"a"])
    )

    async def read() -> None:
        chunks = sa.aiter_bytes(source)
        assert await anext(chunks) == b"x"
        await chunks.aclose()
        await chunks.aclose()
        assert [chunk async for chunk in sa.aiter_bytes(exhausted)] == [b"a"]
        with pytest.raises(Failure):
            async for _ in sa.aiter_bytes(failing):
                pass
        await sa.aiter_bytes(unread).aclose()

    asyncio.run(read())
    assert [source.closes, exhausted.closes, failing.closes, unread.closes] == [1, 1, 1, 1]


@either_way
def test_the_normalizer_logs_no_error_that_its_caller_gets(way: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Failure):
        list(sa.iter_bytes(SOURCES[way]([b"a", Failure()])))
    assert caplog.records == []


@either_way
@pytest.mark.parametrize("before", [[], [b"a"]])
def test_cancelled_error_of_the_source_is_an_error_under_wsgi(before: list[bytes], way: str) -> None:
    source = SOURCES[way]([*before, asyncio.CancelledError()])
    answer = call_wsgi(sa.Response(source))
    assert isinstance(answer.error, RuntimeError)
    assert isinstance(answer.error.__cause__, asyncio.CancelledError)
    assert source.closes == 1


@either_way
@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
def test_a_cancellation_that_the_source_raises_does_not_pass_for_the_servers(
    error: type[BaseException], way: str
) -> None:
    source = SOURCES[way]([b"a", error()])
    answer = call_asgi(sa.Response(source))
    assert isinstance(answer.error, RuntimeError)
    assert isinstance(answer.error.__cause__, error)
    assert source.closes == 1
