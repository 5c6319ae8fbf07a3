"""Subscriptions: lazy, resumed after a request's cursor, reset where events are lost; on the wire and in Python."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import orjson
import pytest

import stream_adapter as sa
from stream_adapter._pump import background_loop
from stream_adapter.engines import MemoryEngine
from stream_adapter.errors import GoneError
from stream_adapter.integration import AsyncBody, RequestHead
from stream_adapter.testing import ManualClock, listening

from .conftest import MakeBroker
from .reading import BOUND, reading, request, wait_until


def test_stream_without_a_cursor_begins_with_its_position(live: sa.Broker) -> None:
    async def use() -> None:
        first = live.publish("a", "before")
        async with reading(sa.sse(live.subscribe("a"))) as reader:
            [opening] = await reader.events(1)
            assert opening == {"event": "stream-open", "id": first, "data": {"position": first}}
            second = await live.apublish("a", {"n": 1}, event="order")
            assert (await reader.events(2))[1] == {"event": "order", "id": second, "data": {"n": 1}}

    asyncio.run(use())


def test_each_json_format_carries_id_event_and_data(live: sa.Broker) -> None:
    first, second = live.publish_many("a", ["text", {"n": 1}])

    async def use(response: sa.Response, end: bytes) -> bytes:
        async with reading(response) as reader:
            return await reader.until(lambda received: received.endswith(end))

    expected = [{"id": first, "data": "text"}, {"id": second, "data": {"n": 1}}]
    received = asyncio.run(use(sa.ndjson(live.subscribe("a", since="earliest")), b'{"n":1}}\n'))
    opening, *items = map(orjson.loads, received.splitlines())
    assert opening["event"] == "stream-open"
    assert opening["id"] == opening["data"]["position"]
    assert items == expected
    received = asyncio.run(use(sa.json_array(live.subscribe("a", since="earliest")), b'{"n":1}}'))
    assert orjson.loads(received + b"]")[1:] == expected
    received = asyncio.run(use(sa.json_seq(live.subscribe("a", since="earliest")), b'{"n":1}}\n'))
    assert [orjson.loads(part) for part in received.split(b"\x1e")[2:]] == expected
    received = asyncio.run(
        use(sa.ndjson(live.subscribe("a", since="earliest"), json_dumps=orjson.dumps), b'{"n":1}}\n')
    )
    assert [orjson.loads(line) for line in received.splitlines()][1:] == expected


def test_json_array_of_a_resumed_stream_has_no_empty_element(live: sa.Broker) -> None:
    cursor = live.last_event_id("a")
    live.publish_many("a", [1, 2])

    async def use() -> bytes:
        async with reading(sa.json_array(live.subscribe("a", since=cursor), flush="item")) as reader:
            return await reader.until(lambda received: received.endswith(b'"data":2}'))

    assert [item["data"] for item in orjson.loads(asyncio.run(use()) + b"]")] == [1, 2]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("text/event-stream", "text/event-stream"), ("*/*", "text/event-stream"), ("application/x-ndjson",) * 2],
)
def test_client_chooses_the_format_where_none_is_named(live: sa.Broker, accept: str, media_type: str) -> None:
    async def use() -> None:
        async with reading(sa.Response(live.subscribe("a")), request(accept=accept)) as reader:
            assert reader.headers["content-type"] == media_type
            await reader.until(lambda received: b"stream-open" in received)

    asyncio.run(use())


@pytest.mark.parametrize("place", ["header", "query", "both", "since"])
def test_subscription_resumes_after_the_cursor_of_the_request(live: sa.Broker, place: str) -> None:
    ids = live.publish_many("a", [1, 2, 3])
    head = {
        "header": request(last_event_id=ids[0]),
        "query": request(f"x=1&last_event_id={ids[0]}"),
        "both": request(f"last_event_id={ids[2]}", last_event_id=ids[0]),
        "since": request(),
    }[place]

    async def use() -> None:
        subscription = live.subscribe("a", since=ids[0] if place == "since" else "earliest")
        async with reading(sa.sse(subscription), head) as reader:
            assert [event["id"] for event in await reader.events(2)] == ids[1:]
            last = live.publish("a", 4)
            assert (await reader.events(3))[2] == {"id": last, "data": 4}

    asyncio.run(use())


def test_blanks_around_the_header_are_not_of_the_cursor(live: sa.Broker) -> None:
    async def use() -> None:
        cursor = live.publish("a", 1)
        live.publish("a", 2)
        async with reading(sa.ndjson(live.subscribe("a")), request(last_event_id=f" {cursor} \t")) as reader:
            assert [record["data"] for record in await reader.lines(1)] == [2]

    asyncio.run(use())


def test_stream_that_is_resumed_at_the_top_sends_its_head_at_once(live: sa.Broker) -> None:
    cursor = live.publish("a", 1)

    async def use() -> None:
        for response in (sa.sse(live.subscribe("a")), sa.ndjson(live.subscribe("a"))):
            async with reading(response, request(last_event_id=cursor)) as reader:  # returns once it is committed
                live.publish("a", 2)
                assert b"stream-open" not in await reader.until(lambda received: b"2" in received.split(b"data")[-1])

    asyncio.run(use())


def test_subscription_that_is_never_read_watches_no_channel(live: sa.Broker) -> None:
    response = sa.sse(live.subscribe("a"))
    resolved = response.resolve(RequestHead())
    assert live.stats().channels == 0
    resolved.source.close(asyncio.run)
    assert sa.sse(live.subscribe("a")).resolve(RequestHead("HEAD")).body == b""
    iter(live.subscribe("a"))
    assert live.stats().channels == 0


def test_bytes_of_a_subscription_that_are_dropped_leave_its_channel(live: sa.Broker) -> None:
    received = next(sa.iter_bytes(sa.sse(live.subscribe("a"))))
    assert received.startswith(b"retry:")
    wait_until(lambda: live.stats().listeners == 0)


def test_response_that_is_collected_on_the_loop_of_its_source_does_not_block_it(
    live: sa.Broker, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = sa.iter_bytes(sa.sse(live.subscribe("a")))
    next(blocks)

    async def close() -> None:
        blocks.close()  # what a collection of garbage does there
        await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(close(), background_loop()).result(BOUND)
    wait_until(lambda: live.stats().listeners == 0)
    assert "did not close" not in caplog.text


def test_one_subscription_serves_any_number_of_requests(live: sa.Broker) -> None:
    ids = live.publish_many("a", [1, 2])
    response = sa.sse(live.subscribe("a"))

    async def use() -> None:
        async with reading(response, request(last_event_id=ids[0])) as one, reading(response) as two:
            assert [event["data"] for event in await one.events(1)] == [2]
            assert [event["event"] for event in await two.events(1)] == ["stream-open"]

    asyncio.run(use())


BAD_CURSORS = [
    "-1",
    "0",
    "done",
    "x" * 300,
    "~~~~",
    "9" * 40,
    "ü",
    "a.1",
    "..",
    "\x01",
    "a" * 5000,
    "~".join(["a.1"] * 30),
]


@pytest.mark.parametrize("cursor", BAD_CURSORS, ids=[cursor[:8] for cursor in BAD_CURSORS])
def test_cursor_that_no_event_had_is_a_reset(live: sa.Broker, cursor: str) -> None:
    top = live.publish_many("a", [1, 2])[-1]

    async def use() -> None:
        async with reading(sa.sse(live.subscribe("a", since="earliest")), request(last_event_id=cursor)) as reader:
            [reset] = await reader.events(1)
            assert (reset["event"], reset["id"]) == ("stream-reset", top)
            assert reset["data"]["reason"] == "unknown"
            assert reset["data"]["position"] == top
            following = live.publish("a", 3)
            assert (await reader.events(2))[1]["id"] == following

    asyncio.run(use())


def test_cursor_of_another_channel_or_of_the_future_is_a_reset(live: sa.Broker) -> None:
    known, foreign = live.publish("a", 1), live.publish("b", 1)
    future = known.rpartition(".")[0] + ".99"
    for cursor in (foreign, future):
        [reset] = [next(iter(live.subscribe("a", since=cursor)))]
        assert (reset.event, reset.data["reason"], reset.id) == ("stream-reset", "unknown", known)


def test_trimmed_history_is_a_reset_that_says_from_where_there_is_some(make_broker: MakeBroker) -> None:
    live = make_broker(history=sa.History(count=3))
    ids = [live.publish("a", n) for n in range(500)]
    reset = next(iter(live.subscribe("a", since=ids[0])))
    assert (reset.event, reset.data["reason"], reset.id) == ("stream-reset", "trimmed", ids[-1])
    assert reset.data["earliest"] in ids[-400:]
    assert live.stats().resets == {"trimmed": 1}
    kept = next(iter(live.subscribe("a", since=ids[-3])))
    assert kept.id == ids[-2]


def test_expired_history_is_a_reset_and_its_top_is_not() -> None:
    clock = ManualClock()
    with sa.Broker(MemoryEngine(clock)) as live:
        first, top = live.publish_many("a", [1, 2])
        clock.advance(301)
        reset = next(iter(live.subscribe("a", since=first)))
        assert (reset.data["reason"], reset.data["earliest"]) == ("trimmed", None)
        events = iter(live.subscribe("a", since=top))
        live.publish("a", 3)
        assert next(events).data == 3


def test_cursor_of_an_older_epoch_is_a_reset() -> None:
    engine = MemoryEngine()
    with sa.Broker(engine) as live:
        cursor = live.publish("a", 1)
        engine._channels.clear()  # as a store that was emptied
        live.publish_many("a", [2, 3])
        assert next(iter(live.subscribe("a", since=cursor))).data["reason"] == "epoch"


def test_gone_answers_410_before_the_stream_begins(live: sa.Broker) -> None:
    async def use() -> None:
        response = sa.sse(live.subscribe("a", on_gap="gone"))
        with pytest.raises(GoneError) as caught:
            async with reading(response, request(last_event_id="lost")):
                pass
        assert caught.value.status_code == 410
        async with reading(response) as reader:
            assert (await reader.events(1))[0]["event"] == "stream-open"

    asyncio.run(use())
    assert live.stats().listeners == 0


@pytest.mark.parametrize("form", [sa.sse, sa.ndjson, sa.Response])
def test_head_of_a_subscription_that_may_be_gone_begins_and_closes_it(
    live: sa.Broker, form: Callable[..., sa.Response]
) -> None:
    ended: list[sa.StreamSummary] = []

    async def ask(head: RequestHead) -> tuple[int, list[tuple[str, str]], bool]:
        response = form(live.subscribe("a", on_gap="gone"), on_close=ended.append)
        body = AsyncBody(await response.aresolve(head))
        try:
            await body.start()
            return body.status, body.headers, body.is_streaming
        finally:
            await body.aclose()

    async def use() -> None:
        status, headers, is_streaming = await ask(RequestHead("GET"))
        assert is_streaming
        assert await ask(RequestHead("HEAD")) == (status, headers, False)

    asyncio.run(use())
    assert [summary.reason for summary in ended] == ["disconnect", "not_started"]
    assert live.stats().listeners == 0


class HeldEngine(MemoryEngine):
    """Answers when the test says so."""

    blocks = True

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def watch(self, channel: str) -> None:
        self.answers.wait(BOUND)
        super().watch(channel)


def test_gone_waits_for_an_engine_that_answers_late() -> None:
    async def use() -> None:
        engine = HeldEngine()
        async with sa.Broker(engine) as live:

            async def ask() -> None:
                async with reading(sa.sse(live.subscribe("a", on_gap="gone")), request(last_event_id="lost")):
                    pass

            asking = asyncio.ensure_future(ask())
            done, _ = await asyncio.wait({asking}, timeout=0.5)  # twice the format's commit_after
            assert not done, "the status was sent before it was known"
            engine.answers.set()
            with pytest.raises(GoneError):
                await asking

    asyncio.run(use())


@pytest.mark.parametrize("is_async", [False, True])
def test_snapshot_comes_first_and_again_after_a_gap(live: sa.Broker, is_async: bool) -> None:
    def load() -> dict[str, int]:
        live.publish("a", "while loading")
        return {"total": 7}

    async def aload() -> dict[str, int]:
        return load()

    async def use() -> None:
        top = live.publish("a", "before")
        response = sa.sse(live.subscribe("a", snapshot=aload if is_async else load))
        async with reading(response) as reader:
            opening, snapshot, following = await reader.events(3)
            assert opening["event"] == "stream-open"
            assert "id" not in opening  # a client that is cut off here has no state to go on from
            assert snapshot == {"event": "snapshot", "id": top, "data": {"total": 7}}
            assert following["data"] == "while loading"
        async with reading(response, request(last_event_id="lost")) as reader:
            snapshot, following = await reader.events(2)
            assert (snapshot["event"], snapshot["data"]) == ("snapshot", {"total": 7})
            assert following["data"] == "while loading"

    asyncio.run(use())


def test_snapshot_of_nothing_is_an_event_that_clients_do_not_drop(live: sa.Broker) -> None:
    async def use() -> None:
        async with reading(sa.sse(live.subscribe("a", snapshot=lambda: None))) as reader:
            received = await reader.until(lambda received: b"snapshot" in received and received.endswith(b"\n\n"))
            assert b"data: null\n" in received.partition(b"event: snapshot\n")[2]

    asyncio.run(use())


def test_snapshot_in_python_is_an_event(live: sa.Broker) -> None:
    async def load() -> str:
        return "state"

    snapshot = next(iter(live.subscribe("a", snapshot=load)))
    assert (snapshot.event, snapshot.data, snapshot.channel) == ("snapshot", "state", None)
    assert snapshot.id == live.last_event_id("a")


def test_replay_begins_with_the_newest(live: sa.Broker) -> None:
    ids = live.publish_many("a", list(range(8)))
    events = iter(live.subscribe("a", replay=3))
    assert [next(events).data for _ in range(3)] == [5, 6, 7]

    async def use() -> None:
        async with reading(sa.sse(live.subscribe("a", replay=3))) as reader:
            opening, *events = await reader.events(4)
            assert opening["id"] == ids[4]  # the place before the first of them
            assert [event["data"] for event in events] == [5, 6, 7]

    asyncio.run(use())


def test_several_channels_go_on_under_one_cursor(live: sa.Broker) -> None:
    async def use() -> None:
        response = sa.ndjson(live.subscribe(["orders:1", "news"]))
        async with reading(response) as reader:
            live.publish("news", "n1")
            opening, first = await reader.lines(2)
            assert first["channel"] == "news"
            assert first["id"].count("~") == 1
            live.publish("orders:1", "o1")
            assert (await reader.lines(3))[2]["channel"] == "orders:1"
        live.publish("orders:1", "o2")
        live.publish("news", "n2")
        for cursor, data in ((opening["id"], {"n1", "o1", "o2", "n2"}), (first["id"], {"o1", "o2", "n2"})):
            async with reading(response, request(last_event_id=cursor)) as reader:
                items = await reader.lines(len(data))
                assert {item["data"] for item in items} == data
        async with reading(sa.sse(live.subscribe(["news", "orders:1"])), request(last_event_id=first["id"])) as other:
            assert {event["data"] for event in await other.events(3)} == {"o1", "o2", "n2"}  # in another order

    asyncio.run(use())


def test_gap_in_one_of_several_channels_resets_that_one(live: sa.Broker) -> None:
    live.publish("a", 1)
    cursor = f"{live.last_event_id('a')}~lost"
    live.publish("a", 2)
    events = iter(live.subscribe(["a", "b"], since=cursor))
    reset, event = next(events), next(events)
    assert (reset.event, reset.channel, reset.data["reason"]) == ("stream-reset", "b", "unknown")
    assert (event.data, event.channel) == (2, "a")
    live.publish("b", 3)
    assert next(events).data == 3


def test_snapshot_after_a_gap_in_one_of_several_channels_is_followed_by_nothing_older(make_broker: MakeBroker) -> None:
    live = make_broker(history=sa.History(bytes=1))
    cursor = f"{live.publish('a', 'a0')}~{live.publish('b', 'b0')}"
    live.publish_many("a", ["a1", "a2"])
    with listening(live, "b") as heard:  # the process has what follows the cursor there
        live.publish("b", "b1")
        assert heard.next(30).data == "b1"
        events = iter(live.subscribe(["a", "b"], since=cursor, snapshot=lambda: "state"))
        snapshot = next(events)
        assert (snapshot.event, snapshot.data) == ("snapshot", "state")
        assert snapshot.id == f"{live.last_event_id('a')}~{live.last_event_id('b')}"
        live.publish("b", "b2")
        assert next(events).data == "b2"


def test_sixteen_channels_have_a_cursor_of_256_characters(live: sa.Broker) -> None:
    names = [f"channel:{n}" for n in range(16)]
    for name in names:
        live.publish_many(name, list(range(120)))
    events = iter(live.subscribe(names, replay=1))
    assert all(len(next(events).id) <= 256 for _ in range(16))


def test_async_iteration_yields_events_and_ends_when_the_broker_is_closed(make_broker: MakeBroker) -> None:
    async def use() -> list[Any]:
        live = make_broker()
        heard: list[Any] = []
        has_all = asyncio.Event()

        async def listen(cursor: str) -> None:
            async for event in live.subscribe("a", since=cursor):
                heard.append(event.data)
                if len(heard) == 3:
                    has_all.set()

        listening = asyncio.create_task(listen(await live.alast_event_id("a")))
        await live.apublish_many("a", [1, 2, 3])
        async with asyncio.timeout(10):
            await has_all.wait()
            await live.aclose()
            await listening
        return heard

    assert asyncio.run(use()) == [1, 2, 3]


def test_sync_iteration_ends_when_the_process_is_drained(make_broker: MakeBroker) -> None:
    live = make_broker()
    cursor, began = live.last_event_id("a"), threading.Event()
    live.publish("a", 1)

    def listen() -> None:
        for _ in live.subscribe("a", since=cursor):
            began.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert began.wait(10)
    assert sa.drain(5)
    thread.join(10)
    assert not thread.is_alive()
    assert live.publish("a", 1)  # what still runs may publish


def test_sync_iteration_on_a_loop_is_refused(live: sa.Broker) -> None:
    async def use() -> None:
        with pytest.raises(RuntimeError, match="async for"):
            next(iter(live.subscribe("a")))

    asyncio.run(use())


@pytest.mark.parametrize(("profile", "frame"), [("ai-sdk", b":\n"), ("anthropic", b":\nevent: text\n")])
def test_profile_sends_a_brokers_events_without_ids(live: sa.Broker, profile: Any, frame: bytes) -> None:
    live.publish("a", {"type": "text"})

    async def use() -> None:
        response = sa.sse(live.subscribe("a", since="earliest"), profile=profile)
        async with reading(response) as reader:
            received = await reader.until(lambda received: b'text"}\n\n' in received)
            assert received == frame + b'data: {"type":"text"}\n\n'

    asyncio.run(use())


def test_snapshot_runs_in_the_requests_context_and_a_closed_stream_leaves_its_channels(live: sa.Broker) -> None:
    user: ContextVar[str] = ContextVar("user")
    reports: list[sa.StreamSummary] = []

    async def load() -> str:
        await asyncio.sleep(0)
        return user.get()

    async def use() -> None:
        user.set("ada")
        async with reading(sa.sse(live.subscribe("a", snapshot=load), on_close=reports.append)) as reader:
            assert (await reader.events(2))[1]["data"] == "ada"
            assert live.stats().listeners == 1
        assert live.stats().listeners == 0
        assert [report.reason for report in reports] == ["disconnect"]

    asyncio.run(use())


def test_keepalive_goes_on_while_no_event_comes(live: sa.Broker) -> None:
    async def use() -> None:
        async with reading(sa.sse(live.subscribe("a"), keepalive=0.01)) as reader:
            await reader.until(lambda received: received.endswith(b"\n:\n:\n"))
            event_id = await live.apublish("a", 1)
            await reader.until(lambda received: f"id: {event_id}".encode() in received)

    asyncio.run(use())
