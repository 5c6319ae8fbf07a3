"""examples/mcp_event_store.py, as MCP's own client and transport use it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import stream_adapter as sa
from tests.support.packages import needed
from tests.support.servers import Server, uvicorn

pytestmark = needed("mcp", "sse_starlette")


def notification(number: int) -> Any:
    from mcp import types  # noqa: PLC0415  # where the package is

    return types.JSONRPCNotification(jsonrpc="2.0", method=f"notifications/{number}")


def store_of(live: sa.Broker, session: str) -> Any:
    from examples.mcp_event_store import BrokerEventStore  # noqa: PLC0415  # where the package is

    return BrokerEventStore(live, session)


async def replayed(store: Any, event_id: str) -> tuple[str | None, list[str]]:
    """Return the stream of a replay, and the methods of its messages."""
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message.message.method)

    return await store.replay_events_after(event_id, send), sent


def test_mcp_client_resumes_after_the_server_closed_the_connection() -> None:
    from mcp import Client  # noqa: PLC0415

    async def use(server: Server) -> tuple[str, list[float]]:
        done: list[float] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            done.append(progress)

        async with Client(f"{server.url}/mcp", mode="legacy") as client:
            result = await client.call_tool("count", {"to": 6}, progress_callback=note)
        text: Any = result.content[0]
        return text.text, done

    with uvicorn("examples.mcp_event_store:app") as server:
        assert asyncio.run(use(server)) == ("counted to 6", [1, 2, 3, 4, 5, 6])
        assert server.log().count('"GET /mcp HTTP/1.1" 200') == 2  # of the session's own stream, and of the one resumed


def test_event_store_replays_later_events_of_the_same_stream() -> None:
    async def use() -> None:
        async with sa.Broker() as live:
            store = store_of(live, "s")
            first = await store.store_event("1", None)
            second = await store.store_event("1", notification(1))
            await store.store_event("2", notification(2))
            last = await store.store_event("1", notification(3))
            assert await replayed(store, first) == ("1", ["notifications/1", "notifications/3"])
            assert await replayed(store, second) == ("1", ["notifications/3"])
            assert await replayed(store, last) == ("1", [])

    asyncio.run(use())


def test_event_store_sends_events_stored_during_its_replay() -> None:
    async def use() -> None:
        async with sa.Broker() as live:
            store = store_of(live, "s")
            first = await store.store_event("1", None)
            await store.store_event("1", notification(1))
            sent: list[str] = []

            async def send(message: Any) -> None:
                sent.append(message.message.method)
                if len(sent) == 1:
                    await store.store_event("1", notification(2))

            assert await store.replay_events_after(first, send) == "1"
            assert sent == ["notifications/1", "notifications/2"]

    asyncio.run(use())


@pytest.mark.parametrize("event_id", ["", "1", "nonsense/1", "abcdefghij.1/1", "/", "x/\n", f"{'9' * 300}/1"])
def test_event_store_answers_an_unknown_id_with_nothing(event_id: str) -> None:
    async def use() -> None:
        async with sa.Broker() as live:
            store = store_of(live, "s")
            await store.store_event("1", notification(1))
            assert await replayed(store, event_id) == (None, [])

    asyncio.run(use())


def test_event_store_keeps_sessions_apart_and_says_where_events_were_trimmed() -> None:
    async def use() -> None:
        async with sa.Broker(history=sa.History(count=2)) as live:
            one, two = store_of(live, "one"), store_of(live, "two")
            first = await one.store_event("_GET_stream", notification(1))
            await two.store_event("_GET_stream", notification(2))
            assert await replayed(two, first) == (None, [])
            for number in range(3):
                await one.store_event("_GET_stream", notification(number))
            assert await replayed(one, first) == (None, [])

    asyncio.run(use())


def test_each_session_of_the_example_has_a_store_of_its_own() -> None:
    from examples.mcp_event_store import manager  # noqa: PLC0415  # where the package is

    assert manager.event_store is not manager.event_store
