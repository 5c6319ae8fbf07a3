"""A run begins once, when it is served, iterated or started; later starts join it, or do what their options say."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.engines import MemoryEngine
from stream_adapter.integration import RequestHead, close_unopened
from tests.broker.reading import BOUND, reading, request

from .conftest import Peer
from .sources import Source, body_of, eventually, fields_of

variable: ContextVar[str] = ContextVar("variable", default="unset")


def _data(body: bytes) -> list[Any]:
    return [event["data"] for event in fields_of(body) if "event" not in event]


def test_run_that_is_made_or_dropped_claims_nothing(live: sa.Broker) -> None:
    source = Source(1)

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        assert (run.id, run.key, run.status) == (None, "a", "new")
        close_unopened(sa.sse(run))
        await (await sa.sse(run).aresolve(RequestHead("GET"))).source.aclose()
        async with reading(sa.sse(run), RequestHead("HEAD")):
            pass
        assert (run.id, run.status, source.calls) == (None, "new", [])
        assert await live.ajoin("a") is None

    asyncio.run(use())


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_run_is_sent_from_its_start_to_each_client(live: sa.Broker, kind: str) -> None:
    source = Source("one", {"n": 2}, sa.ServerSentEvent([3], event="more"))

    async def use() -> None:
        for _ in range(2):
            run = live.run("a", getattr(source, kind), "prompt", 7)
            body = fields_of(await body_of(sa.sse(run)))
            assert run.status == "done"
            assert [event["data"] for event in body] == ["one", {"n": 2}, [3], {"status": "done"}]
            assert [event.get("event") for event in body] == [None, None, "more", "stream-end"]
            assert [event["id"] for event in body] == [f"{run.id}.{n}" for n in (1, 2, 3, 4)]
        assert source.calls == [("prompt", 7)]
        assert source.closed == 1

    asyncio.run(use())


def test_factories_may_return_any_source(live: sa.Broker) -> None:
    source = Source(1, 2)

    async def coroutine() -> Any:
        await asyncio.sleep(0)
        return source.asynchronous()

    async def coroutine_of_sync() -> Any:
        return source.sync()

    class Callable:
        async def __call__(self) -> Any:
            return [1, 2]

    factories: list[Any] = [
        coroutine,
        coroutine_of_sync,
        partial(source.asynchronous, "prompt"),
        lambda: [1, 2],
        lambda: iter((1, 2)),
        Callable(),
    ]
    for index, factory in enumerate(factories):
        assert _data(asyncio.run(body_of(sa.sse(live.run(f"a{index}", factory))))) == [1, 2], index


def test_run_without_a_loop_runs_on_the_library_s_own(live: sa.Broker) -> None:
    source = Source(1, 2)
    events = list(live.run("a", source.asynchronous))
    assert [event.data for event in events] == [1, 2, {"status": "done"}]
    assert events[-1].event == "stream-end"
    assert {event.channel for event in events} == {"a"}
    assert list(live.run("a", source.sync)) == events
    joined = live.join("a")
    assert joined is not None
    assert list(joined) == events


def test_run_is_started_without_a_client(live: sa.Broker, peer: Peer) -> None:
    source = Source(1, before=1)

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        assert await run.astart() is run
        assert run.status == "running"
        other = await peer().ajoin("a")
        assert other is not None
        assert (other.id, other.status) == (run.id, "running")
        again = await peer().run("a", source.asynchronous).astart()
        assert again.id == run.id
        source.gate.open()
        assert _data(await body_of(sa.sse(other))) == [1]
        assert len(source.calls) == 1
        await eventually(lambda: run.status == "done")

    asyncio.run(use())


def test_sync_start_returns_the_run_before_it_ends(live: sa.Broker) -> None:
    source = Source(1, before=1)
    run = live.run("a", source.sync).start()
    assert run.id is not None
    assert run.status == "running"
    source.gate.open()
    assert [event.data for event in run] == [1, {"status": "done"}]
    joined = live.join("a")
    assert joined is not None
    assert joined.status == "done"


def test_join_waits_for_a_run_to_begin(live: sa.Broker, peer: Peer) -> None:
    source = Source(1)

    async def use() -> None:
        assert await live.ajoin("a") is None
        waiting = asyncio.create_task(peer().ajoin("a", wait=BOUND))
        await asyncio.sleep(0)
        await live.run("a", source.asynchronous).astart()
        joined = await waiting
        assert joined is not None
        assert _data(await body_of(sa.sse(joined))) == [1]

    asyncio.run(use())


def test_running_run_is_joined_rejected_or_cancelled(live: sa.Broker, peer: Peer) -> None:
    first, second = Source(1, before=1), Source(2)
    other = peer()

    async def use() -> None:
        run = await live.run("a", first.asynchronous).astart()
        with pytest.raises(sa.RunConflictError):
            await other.run("a", second.asynchronous, if_running="reject").astart()
        with pytest.raises(sa.RunConflictError):
            async with reading(sa.sse(other.run("a", second.asynchronous, if_running="reject"))):
                pass
        joined = await other.run("a", second.asynchronous).astart()
        assert joined.id == run.id
        newer = other.run("a", second.asynchronous, if_running="cancel")
        assert _data(await body_of(sa.sse(newer))) == [2]
        assert newer.id != run.id
        await eventually(lambda: run.status == "cancelled")
        assert first.closed == 1

    asyncio.run(use())


def test_ended_run_is_replayed_or_begun_again(live: sa.Broker) -> None:
    source = Source(1)

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        await body_of(sa.sse(run))
        again = await live.run("a", source.asynchronous).astart()
        assert (again.id, again.status) == (run.id, "done")
        newer = live.run("a", source.asynchronous, if_done="restart")
        await body_of(sa.sse(newer))
        assert newer.id != run.id
        assert len(source.calls) == 2
        # a run object stays with its run, which is there no more
        assert await body_of(sa.sse(run)) == b""

    asyncio.run(use())


def test_run_has_a_copy_of_the_context(live: sa.Broker) -> None:
    def sync() -> Any:
        seen = variable.get()
        variable.set("of the source")
        yield seen
        yield variable.get()

    async def asynchronous() -> Any:
        for item in sync():
            yield item

    async def use() -> None:
        variable.set("of the request")
        for key, factory in (("a", sync), ("b", asynchronous)):
            assert _data(await body_of(sa.sse(live.run(key, factory)))) == ["of the request", "of the source"]
        assert variable.get() == "of the request"

    asyncio.run(use())


def test_request_s_cancellation_does_not_reach_the_source(live: sa.Broker) -> None:
    source = Source(1, 2, before=1)

    async def client(run: sa.Run) -> None:
        async with asyncio.timeout(BOUND), asyncio.TaskGroup() as group:
            group.create_task(body_of(sa.sse(run)))

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        request_task = asyncio.create_task(client(run))
        await eventually(lambda: source.calls)
        request_task.cancel()
        await asyncio.wait((request_task,))
        assert request_task.cancelled()
        assert (run.status, source.closed) == ("running", 0)
        source.gate.open()
        assert _data(await body_of(sa.sse(run), request())) == [1, 2]

    asyncio.run(use())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"on_disconnect": "stop"}, ValueError, "on_disconnect: expected 'continue' or 'cancel', got 'stop'"),
        ({"if_running": None}, ValueError, "if_running: expected 'join' or 'reject' or 'cancel', got None"),
        ({"if_done": True}, ValueError, "if_done: expected"),
        ({"retain": 0}, ValueError, "retain: expected more than 0 seconds"),
        ({"retain": None}, TypeError, "retain: expected seconds, got None"),
        ({"timeout": -1}, ValueError, "timeout: expected"),
        ({"lease": "15"}, TypeError, "lease: expected"),
        ({"lease": 0.01}, ValueError, "lease: expected"),
        ({"lease": float("nan")}, ValueError, "lease: expected"),
    ],
)
def test_bad_options_are_errors_at_the_call(options: dict[str, Any], error: type[Exception], text: str) -> None:
    live = sa.Broker()
    with pytest.raises(error, match=text):
        live.run("a", Source().sync, **options)


def test_bad_keys_and_factories_are_errors_at_the_call() -> None:
    live, factory = sa.Broker(), Source().sync
    with pytest.raises(TypeError, match="factory: expected a function, got generator; give the function"):
        live.run("a", factory())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="key: expected"):
        live.run("", factory)
    with pytest.raises(TypeError, match="key: expected"):
        live.run(7, factory)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="key: expected"):
        live.join("a\nb")
    with pytest.raises(ValueError, match="wait: expected"):
        live.join("a", wait=-1)
    with pytest.raises(TypeError, match="run: expected the id of a run, got None"):
        live.cancel("a", None)  # type: ignore[arg-type]


def test_channel_and_run_of_the_same_name_are_apart(live: sa.Broker) -> None:
    live.publish("a", "event")
    assert [event.data for event in live.run("a", lambda: ["item"])] == ["item", {"status": "done"}]
    assert live.join("b") is None


class _Frozen(MemoryEngine):
    """An engine that answers nothing in time; what is asked may be done."""

    blocks = True

    def _late(self) -> Any:
        raise sa.PublishTimeoutError("the broker's engine did not answer within 5 s")

    def claim(self, *_: Any, **__: Any) -> Any:
        return self._late()

    def cancel(self, *_: Any, **__: Any) -> Any:
        return self._late()

    def run_state(self, *_: Any, **__: Any) -> Any:
        return self._late()


def _some_id(live: sa.Broker) -> str:
    return f"{live._runs().name('a').mark}x"


_ASKING: dict[str, Callable[[sa.Broker], object]] = {
    "start": lambda live: live.run("a", Source().sync).start(),
    "astart": lambda live: asyncio.run(live.run("a", Source().sync).astart()),
    "join": lambda live: live.join("a"),
    "ajoin": lambda live: asyncio.run(live.ajoin("a")),
    "cancel": lambda live: live.cancel("a", _some_id(live)),
    "acancel": lambda live: asyncio.run(live.acancel("a", _some_id(live))),
    "produce": lambda live: live.produce("a", Source().sync()),
}


@pytest.mark.parametrize("ask", _ASKING.values(), ids=_ASKING)
def test_engine_that_does_not_answer_in_time_is_unavailable(ask: Callable[[sa.Broker], object]) -> None:
    with sa.Broker(_Frozen()) as live, pytest.raises(sa.BrokerUnavailableError, match="did not answer"):
        ask(live)
