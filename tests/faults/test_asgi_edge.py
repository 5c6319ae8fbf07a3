"""A server that fails in its own two functions: the application returns, and the source is closed once."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import stream_adapter as sa
from stream_adapter.types import Message, Scope
from tests.support.gate import BOUND
from tests.support.interfaces import SOURCES, either_way

SCOPE: Scope = {"type": "http", "method": "GET", "headers": []}
REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT: Message = {"type": "http.disconnect"}


class Failing:
    """A server's two functions; one fails after `messages` have been sent."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._requests = [REQUEST]
        self.sent: list[Message] = []
        self.reached = asyncio.Event()

    async def receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await self.reached.wait()
        return await self.receive_at_last()

    async def send(self, message: Message) -> None:
        if len(self.sent) >= self._messages:
            self.reached.set()
            await self.send_at_last()
        self.sent.append(message)

    async def receive_at_last(self) -> Message:
        await asyncio.Event().wait()
        return DISCONNECT

    async def send_at_last(self) -> None:
        await asyncio.sleep(0)


class SendRaises(Failing):
    async def send_at_last(self) -> None:
        raise BrokenPipeError("the server noticed before we did")


class SendHangs(Failing):
    async def send_at_last(self) -> None:
        await asyncio.Event().wait()

    async def receive_at_last(self) -> Message:
        return DISCONNECT


class ReceiveRaises(Failing):
    async def receive_at_last(self) -> Message:
        raise RuntimeError("receive is broken")


async def _serve(response: sa.Response, server: Failing) -> None:
    await response.asgi(SCOPE, server.receive, server.send)


@pytest.mark.parametrize("server", [SendRaises, SendHangs, ReceiveRaises])
@pytest.mark.parametrize("messages", [0, 1, 2, 9], ids="after {} messages".format)
@either_way
def test_the_application_returns_and_closes_once(way: str, messages: int, server: type[Failing]) -> None:
    source, summaries = SOURCES[way](itertools.repeat(b"x")), list[sa.StreamSummary]()
    response = sa.Response(source, flush="item", on_close=summaries.append)

    async def call() -> None:
        await asyncio.wait_for(_serve(response, server(messages)), BOUND)

    asyncio.run(call())
    assert source.closes == 1
    assert [summary.reason for summary in summaries] == ["disconnect"]


@either_way
def test_a_client_that_goes_while_it_is_sent_the_end_has_had_it(way: str) -> None:
    source, summaries = SOURCES[way]([b"x"]), list[sa.StreamSummary]()

    async def call() -> None:
        await asyncio.wait_for(_serve(sa.Response(source, on_close=summaries.append), SendHangs(2)), BOUND)

    asyncio.run(call())
    assert source.closes == 1
    assert [summary.reason for summary in summaries] == ["done"]


@either_way
def test_a_send_that_raises_something_else_is_the_servers_own_error(way: str) -> None:
    class Refusing(Failing):
        async def send_at_last(self) -> None:
            raise RuntimeError("no such message")

    source = SOURCES[way](itertools.repeat(b"x"))

    async def call() -> None:
        await asyncio.wait_for(_serve(sa.Response(source), Refusing(3)), BOUND)

    with pytest.raises(RuntimeError, match="no such message"):
        asyncio.run(call())
    assert source.closes == 1


@pytest.mark.parametrize("cancel_after", [1, 2, 9])
@either_way
def test_an_application_that_is_cancelled_closes_the_source_before_it_ends(way: str, cancel_after: int) -> None:
    source = SOURCES[way](itertools.repeat(b"x"))

    async def call() -> None:
        failing = Failing(cancel_after)
        task = asyncio.create_task(_serve(sa.Response(source), failing))
        await failing.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.closes == 1

    asyncio.run(call())
