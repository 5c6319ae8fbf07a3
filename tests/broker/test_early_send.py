"""Events are sent as steps of a listener's task, which goes on waiting: `send` cannot tell the difference."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.types import Message
from tests.support.gate import Gate

from .reading import BOUND, events_of

variable: ContextVar[str] = ContextVar("variable")
OnSend = Callable[[Message], Awaitable[None]]


class Client:
    """An ASGI server's side of one response; `on_send` is what its `send` does."""

    def __init__(self, response: sa.Response, on_send: OnSend | None = None) -> None:
        self._response = response
        self._on_send = on_send
        self._has_received = asyncio.Event()
        self.left = asyncio.Event()
        self.sending = 0
        self.received = b""
        self.is_complete = False

    async def run(self) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": [],
            "client": None,
        }
        await self._response.asgi(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sending += 1
        assert self.sending == 1, "two sends at once"
        try:
            if self._on_send is not None:
                await self._on_send(message)
        finally:
            self.sending -= 1
        self.received += message.get("body", b"")
        self.is_complete = self.is_complete or message.get("more_body") is False
        self._has_received.set()

    async def until(self, data: list[object]) -> None:
        """Wait until the events that have come are these."""
        async with asyncio.timeout(BOUND):
            while self.data != data:
                assert len(self.data) < len(data), self.data
                await self._has_received.wait()
                self._has_received.clear()

    @property
    def data(self) -> list[Any]:
        return [event["data"] for event in events_of(self.received) if event.get("event") != "stream-open"]

    @property
    def is_open(self) -> bool:
        return bool(events_of(self.received))


@asynccontextmanager
async def served(client: Client) -> AsyncGenerator[asyncio.Task[None]]:
    """Serve a client until it waits for events."""
    task = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(BOUND):
            while not client.is_open:  # noqa: ASYNC110  # it counts steps of the loop
                await asyncio.sleep(0)
            for _ in range(10):  # until the task waits
                await asyncio.sleep(0)
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


def _response(live: sa.Broker) -> sa.Response:
    return sa.sse(live.subscribe("a"))


def _holding(gate: Gate, words: bytes) -> OnSend:
    """Return a `send` that waits with a block that has these words."""

    async def on_send(message: Message) -> None:
        if words in message.get("body", b""):
            await gate.wait_async()

    return on_send


def test_event_is_sent_without_resuming_the_task() -> None:
    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live))
            async with served(client) as task:
                waits_for: Any = task._fut_waiter  # type: ignore[attr-defined]
                for number in range(5):
                    await live.apublish("a", number)
                    await client.until(list(range(number + 1)))
                assert task._fut_waiter is waits_for  # type: ignore[attr-defined]

    asyncio.run(use())


def test_send_is_a_step_of_the_listeners_task_in_its_context() -> None:
    seen: list[tuple[asyncio.Task[Any] | None, str]] = []

    async def on_send(message: Message) -> None:
        seen.append((asyncio.current_task(), variable.get()))
        if b'"n"' in message.get("body", b""):
            variable.set("changed by an event")

    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live), on_send)
            variable.set("the listener's")
            async with served(client) as task:
                variable.set("the publisher's")
                publisher = asyncio.current_task()
                seen.clear()
                await live.apublish("a", {"n": 1})
                await client.until([{"n": 1}])
                await live.apublish("a", {"n": 2})
                await client.until([{"n": 1}, {"n": 2}])
                assert seen == [(task, "the listener's"), (task, "changed by an event")]
                assert asyncio.current_task() is publisher
                assert variable.get() == "the publisher's"

    asyncio.run(use())


def test_send_that_waits_is_finished_by_the_task_and_events_keep_their_order() -> None:
    gate = Gate()
    tasks: list[asyncio.Task[Any] | None] = []

    async def on_send(message: Message) -> None:
        if b"data: 1\n" in message.get("body", b""):
            token = variable.set("of one send")
            tasks.append(asyncio.current_task())
            async with asyncio.timeout(BOUND):
                await gate.wait_async()
            tasks.append(asyncio.current_task())
            variable.reset(token)  # raises in another context

    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live), on_send)
            async with served(client) as task:
                for number in range(5):
                    await live.apublish("a", number)
                    await asyncio.sleep(0)
                await client.until([0])
                gate.open()
                await client.until([0, 1, 2, 3, 4])
                await live.apublish("a", 5)
                await client.until([0, 1, 2, 3, 4, 5])
                assert tasks == [task, task]

    asyncio.run(use())


@pytest.mark.parametrize(("count", "size"), [(1000, 1), (300, 1000), (5, 100_000)])
def test_more_events_than_one_block_holds_are_all_sent(count: int, size: int) -> None:
    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live))
            async with served(client):
                events: list[object] = [f"{number} {'x' * size}" for number in range(count)]
                await live.apublish_many("a", events)
                await client.until(events)

    asyncio.run(use())


def test_timeout_within_a_send_ends_that_send_alone() -> None:
    async def on_send(message: Message) -> None:
        if b"data: 0\n" in message.get("body", b""):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()

    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live), on_send)
            async with served(client):
                await live.apublish("a", 0)
                await client.until([0])
                await live.apublish("a", 1)
                await client.until([0, 1])

    asyncio.run(use())


def test_client_that_leaves_during_a_send_ends_its_listener() -> None:
    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live), _holding(Gate(), b"data: 0\n"))
            async with served(client) as task:
                await live.apublish("a", 0)
                await _until(lambda: client.sending)
                client.left.set()
                async with asyncio.timeout(BOUND):
                    await task
                assert live.stats().listeners == 0

    asyncio.run(use())


def test_send_that_raises_oserror_is_a_disconnect(caplog: pytest.LogCaptureFixture) -> None:
    async def on_send(message: Message) -> None:
        if b"data: 0\n" in message.get("body", b""):
            raise OSError("the client has left")

    async def use() -> None:
        with sa.Broker() as live:
            async with served(client := Client(_response(live), on_send)) as task:
                await live.apublish("a", 0)
                async with asyncio.timeout(BOUND):
                    await task
                assert not client.is_complete
                assert live.stats().listeners == 0

    with caplog.at_level(logging.WARNING, "stream_adapter"):
        asyncio.run(use())
    assert not caplog.records


def test_error_of_a_send_is_raised_in_the_listeners_task_and_not_to_the_publisher() -> None:
    async def on_send(message: Message) -> None:
        if b"data: 0\n" in message.get("body", b""):
            raise ZeroDivisionError

    async def use() -> None:
        with sa.Broker() as live:
            other = Client(_response(live))
            async with served(Client(_response(live), on_send)) as task, served(other):
                await live.apublish("a", 0)
                await other.until([0])
                async with asyncio.timeout(BOUND):
                    with pytest.raises(ZeroDivisionError):
                        await task
                assert live.stats().listeners == 1

    asyncio.run(use())


def test_send_that_publishes_does_not_send_within_itself() -> None:
    async def use() -> None:
        with sa.Broker() as live:

            async def on_send(message: Message) -> None:
                if b"data: 0\n" in message.get("body", b""):
                    live.publish("a", 1)

            client = Client(_response(live), on_send)
            async with served(client):
                live.publish("a", 0)
                await client.until([0, 1])

    asyncio.run(use())


def test_cancelled_listener_is_sent_nothing_more() -> None:
    async def use() -> None:
        with sa.Broker() as live:
            client = Client(_response(live), _holding(Gate(), b"data: 0\n"))
            async with served(client) as task:
                await live.apublish("a", 0)
                await _until(lambda: client.sending)
                task.cancel()
                await live.apublish("a", 1)
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert client.data == []
                assert live.stats().listeners == 0

    asyncio.run(use())


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(BOUND):
        while not holds():  # noqa: ASYNC110  # it counts steps of the loop
            await asyncio.sleep(0)
