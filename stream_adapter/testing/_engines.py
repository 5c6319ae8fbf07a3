"""The suite that every engine passes, those of this library and those that you write.

    class TestMyEngine(EngineConformance):
        def make_engine(self, clock):
            return MyEngine(clock=clock)

It uses no fixtures: `make_engine` is called for each test, and what it returns is closed after it.
"""

# ruff: noqa: S101  # a test suite: it asserts, and the names of its tests are sentences

from __future__ import annotations

import asyncio

from stream_adapter.engines import Frame, History, Position
from stream_adapter.errors import BrokerUnavailableError

from ._engine_events import EventPromises
from ._engine_runs import RunPromises
from ._engine_setup import ManualClock, RecordingReceiver, payloads_of, raises

__all__ = ["EngineConformance", "ManualClock", "RecordingReceiver"]


class EngineConformance(EventPromises, RunPromises):
    """The promises of an engine, as tests. Derive a class named `Test…` from it and define `make_engine`.

    Attributes:
        carries_runs: False leaves out the tests of `claim`, `renew`, `finish`, `cancel` and `run_state`.
    """

    def test_async_methods_do_what_the_sync_ones_do(self) -> None:
        async def use() -> tuple[list[Position], Position]:
            [first] = await self.engine.aappend_many(self.channel, [Frame(b"a", "k")], history=History())
            again = await self.engine.aappend_many(self.channel, [Frame(b"b", "k"), Frame(b"c")], history=History())
            return [first, *again], (await self.engine.apositions([self.channel]))[self.channel]

        appended, last = asyncio.run(use())
        assert [position.offset for position in appended] == [1, 1, 2]
        assert last == appended[-1]
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"a", b"c"]

    def test_concurrent_async_appends_are_stored_in_the_order_of_the_calls(self) -> None:
        async def use() -> list[list[Position]]:
            frames = ([Frame(b"%d" % n), Frame(b"-", f"key-{n // 2}")] for n in range(20))
            appends = (self.engine.aappend_many(self.channel, each, history=History(), timeout=60) for each in frames)
            return await asyncio.gather(*appends)

        offsets = [[position.offset for position in positions] for positions in asyncio.run(use())]
        assert offsets == [[n + (n + 1) // 2 + 1, n // 2 * 3 + 2] for n in range(20)]
        stored = [payload for payload in payloads_of(self.engine.read(self.channel, 0, 100)) if payload != b"-"]
        assert stored == [b"%d" % n for n in range(20)]

    def test_closed_engine_refuses_and_can_be_closed_again(self) -> None:
        self.append(b"a")
        self.engine.close()
        self.engine.close()
        raises(BrokerUnavailableError, lambda: self.append(b"b"))
        raises(BrokerUnavailableError, lambda: self.engine.read(self.channel, 0, 1))
