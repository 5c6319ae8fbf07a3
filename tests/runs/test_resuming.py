"""What clients are sent: each format, from the start or after a cursor, up to the end that each client sees."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest

import stream_adapter as sa
from stream_adapter.errors import RunEndedError
from tests.broker.reading import events_of, reading, request

from .conftest import Peer
from .sources import Source, body_of, eventually, fields_of

PROBLEM = {"type": "about:blank", "title": "Internal Server Error", "status": 500}


async def _status(response: sa.Response, cursor: str | None) -> int:
    async with reading(response, request(last_event_id=cursor) if cursor else request()) as reader:
        return reader.status


def test_client_resumes_after_its_cursor_in_another_process(live: sa.Broker, peer: Peer) -> None:
    source = Source("one", "two", "three", before=2)

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        async with reading(sa.sse(run)) as reader:
            assert [event["data"] for event in (await reader.events(2))] == ["one", "two"]
        head = request(last_event_id=f"{run.id}.1")
        async with reading(sa.sse(peer().run("a", source.asynchronous)), head) as reader:
            [event] = await reader.events(1)
            assert (event["data"], event["id"]) == ("two", f"{run.id}.2")
            source.gate.open()
            rest = await reader.events(3)
            assert [event["data"] for event in rest[1:]] == ["three", {"status": "done"}]
        assert len(source.calls) == 1

    asyncio.run(use())


def test_cursor_that_has_all_or_fits_no_run_is_answered_204(live: sa.Broker, peer: Peer) -> None:
    source = Source(1)

    async def use() -> None:
        old = live.run("a", source.asynchronous)
        await body_of(sa.sse(old))
        new = live.run("a", source.asynchronous, if_done="restart")
        end = fields_of(await body_of(sa.sse(new)))[-1]["id"]
        assert end == f"{new.id}.2"
        calls = len(source.calls)
        for cursor in (end, f"{old.id}.1", f"{old.id}.2", f"{new.id}.3", "nonsense", f"x{new.id}.1"):
            for broker, make in ((live, sa.sse), (peer(), sa.ndjson), (live, sa.text), (peer(), sa.json_array)):
                run = broker.run("a", source.asynchronous, if_done="restart")
                async with reading(make(run), request(last_event_id=cursor)) as reader:
                    assert reader.status == 204, cursor
                    assert "content-type" not in reader.headers
        assert await _status(sa.sse(live.run("b", source.asynchronous)), f"{new.id}.1") == 204
        assert len(source.calls) == calls
        assert await _status(sa.sse(live.run("a", source.asynchronous)), f"{new.id}.1") == 200

    asyncio.run(use())


def test_cursor_of_a_run_that_has_expired_is_answered_204(live: sa.Broker) -> None:
    source = Source(1)

    async def use() -> None:
        run = live.run("a", source.asynchronous, retain=0.05)
        await body_of(sa.sse(run))

        await eventually(lambda: live.join("a") is None)
        assert await _status(sa.sse(live.run("a", source.asynchronous)), f"{run.id}.1") == 204
        assert await _status(sa.sse(run), None) == 204
        assert len(source.calls) == 1

    asyncio.run(use())


def test_each_format_sends_its_own_end_of_a_run(live: sa.Broker) -> None:
    run = live.run("a", Source("one", {"n": 2}).asynchronous)

    async def use() -> None:
        ids = [f"{(await run.astart()).id}.{n}" for n in (1, 2, 3)]
        items = [{"id": ids[0], "data": "one"}, {"id": ids[1], "data": {"n": 2}}]
        end = {"id": ids[2], "event": "stream-end", "data": {"status": "done"}}
        assert [orjson.loads(line) for line in (await body_of(sa.ndjson(run))).splitlines()] == [*items, end]
        assert orjson.loads(await body_of(sa.json_array(run))) == items
        parts = (await body_of(sa.json_seq(run))).split(b"\x1e")[1:]
        assert [orjson.loads(part) for part in parts] == [*items, end]
        assert await body_of(sa.text(run)) == b'one{"n":2}'
        assert await body_of(sa.Response(run, media_type="text/plain", charset="utf-16-le")) == (
            'one{"n":2}'.encode("utf-16-le")
        )
        for profile in ("openai", "ai-sdk"):
            body = await body_of(sa.sse(run, profile=profile))
            assert body == b':\ndata: one\n\ndata: {"n":2}\n\ndata: [DONE]\n\n'
        assert (await body_of(sa.sse(run, end="bye"))).endswith(b'{"n":2}\n\nevent: bye\nid: bye\ndata: \n\n')
        assert fields_of(await body_of(sa.Response(run)))[-1]["event"] == "stream-end"

    asyncio.run(use())


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_failed_run_is_reported_in_each_format_and_logged_once(
    live: sa.Broker, peer: Peer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def sync() -> Any:
        yield "one"
        raise ValueError("secret")

    async def asynchronous() -> Any:
        for item in sync():
            yield item

    factory = sync if kind == "sync" else asynchronous
    problem = {**PROBLEM, "run": "error"}

    async def use() -> None:
        run = live.run("a", factory)
        with caplog.at_level(logging.WARNING, "stream_adapter"):
            body = await body_of(sa.sse(run))
            last = fields_of(body)[-1]
            assert last == {"event": "error", "id": f"{run.id}.2", "data": problem}
            assert run.status == "error"
            again = peer().run("a", factory)
            lines = (await body_of(sa.ndjson(again))).splitlines()
            assert orjson.loads(lines[-1]) == {"id": f"{run.id}.2", "error": problem}
            last_part = (await body_of(sa.json_seq(again))).rsplit(b"\x1e", 1)[1]
            with pytest.raises(orjson.JSONDecodeError):
                orjson.loads(last_part)
            assert orjson.loads(last_part + b"}") == {"id": f"{run.id}.2", "error": problem}
            for make in (sa.text, sa.json_array):
                with pytest.raises(RunEndedError):
                    await body_of(make(again))
            assert b'"run":"error"' in await body_of(sa.sse(again, profile="openai"))
            for options in ({"profile": "openai"}, {"profile": "ai-sdk"}, {"end": "bye"}):
                body = await body_of(sa.sse(again, **options))  # type: ignore[arg-type]
                assert not body.endswith((b"[DONE]\n\n", b"data: \n\n"))
            events = [event async for event in peer().run("a", factory)]
            assert (events[-1].event, events[-1].data) == ("error", problem)
        assert b"secret" not in body
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert caplog.records[0].exc_info is not None
        assert await _status(sa.sse(again), f"{run.id}.2") == 204

    asyncio.run(use())


CANCELLED = "The run was cancelled"


@pytest.mark.parametrize(
    ("profile", "last"),
    [
        (
            "openai",
            {"error": {"message": CANCELLED, "type": "server_error", "param": None, "code": None, "run": "cancelled"}},
        ),
        ("ai-sdk", {"type": "error", "errorText": CANCELLED}),
        ("anthropic", {"type": "error", "error": {"type": "api_error", "message": CANCELLED, "run": "cancelled"}}),
        ("ag-ui", {"type": "RUN_ERROR", "message": CANCELLED, "code": "cancelled"}),
    ],
)
def test_cancelled_run_ends_with_the_error_of_its_profile(live: sa.Broker, profile: Any, last: object) -> None:
    source = Source({"type": "a"}, before=1)

    async def use() -> None:
        run = await live.run("a", source.asynchronous).astart()
        assert run.id is not None
        await live.acancel("a", run=run.id)
        end = fields_of(await body_of(sa.sse(run, profile=profile)))[-1]
        assert end["data"] == last
        assert end.get("event") == ("error" if profile == "anthropic" else None)

    asyncio.run(use())


def test_profile_sends_items_without_retry_and_events_without_data(live: sa.Broker) -> None:
    events = (sa.ServerSentEvent({"a": 1}, event="delta", id="x", retry=5), sa.ServerSentEvent(comment="only"))
    body = asyncio.run(body_of(sa.sse(live.run("a", Source(*events).asynchronous), profile="openai")))
    assert body == b':\nevent: delta\ndata: {"a":1}\n\ndata: [DONE]\n\n'


def test_text_refuses_a_subscription_whose_gaps_it_could_not_tell(live: sa.Broker) -> None:
    with pytest.raises(sa.ChunkEncodingError, match="subscription"):
        asyncio.run(body_of(sa.text(live.subscribe("a"))))


@pytest.mark.parametrize("media_type", ["text/csv", "application/json", "application/problem+json"])
def test_format_that_cannot_carry_a_run_names_those_that_can(live: sa.Broker, media_type: str) -> None:
    with pytest.raises(sa.ChunkEncodingError, match=r"a run or a subscription goes by sse, ndjson"):
        asyncio.run(body_of(sa.Response(live.run("a", Source({"n": 1}).sync), media_type=media_type)))


def test_run_longer_than_a_page_of_history_is_replayed_complete(live: sa.Broker, peer: Peer) -> None:
    source = Source(*range(2500))

    async def use() -> None:
        run = await live.run("a", source.asynchronous).astart()
        for broker in (live, peer()):
            joined = await broker.ajoin("a")
            assert joined is not None
            lines = (await body_of(sa.ndjson(joined))).splitlines()
            assert [orjson.loads(line)["data"] for line in lines[:-1]] == list(range(2500))
        await eventually(lambda: run.status == "done")

    asyncio.run(use())


def test_client_that_waits_is_sent_the_head_at_once(live: sa.Broker) -> None:
    source = Source(1, before=0)

    async def use() -> None:
        for make in (sa.sse, sa.ndjson, sa.text):
            async with reading(make(live.run("a", source.asynchronous))) as reader:
                assert reader.headers["content-type"]
                assert events_of(reader.received) == []
        source.gate.open()

    asyncio.run(use())
