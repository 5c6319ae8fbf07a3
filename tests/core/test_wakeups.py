"""The bells: no ring is lost, none is needed, and nobody is rung for who does not listen."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stream_adapter._pump import LoopBell, ThreadBell
from stream_adapter._pump.wakeups import Bell
from tests.support.gate import BOUND


class CountingBell(Bell):
    def __init__(self) -> None:
        super().__init__()
        self.wakes = 0

    def _wake(self) -> None:
        self.wakes += 1


def test_it_is_rung_only_while_somebody_listens_and_once() -> None:
    bell = CountingBell()
    bell.ring()
    assert bell.wakes == 0
    bell.listening = True
    bell.ring()
    bell.ring()
    assert bell.wakes == 1
    assert not bell.listening


def test_once_it_insists_every_ring_wakes() -> None:
    bell = CountingBell()
    bell.insist()
    bell.ring()
    bell.ring()
    assert bell.wakes == 2


def test_a_thread_that_has_what_it_waits_for_does_not_wait() -> None:
    bell = ThreadBell()
    bell.wait(lambda: True)
    assert not bell.listening


@pytest.mark.parametrize("timeout", [0, -1, 0.001])
def test_a_thread_waits_no_longer_than_its_timeout(timeout: float) -> None:
    bell = ThreadBell()
    bell.wait(lambda: False, timeout)
    assert not bell.listening


def test_a_thread_is_woken_by_a_change_that_comes_while_it_looks() -> None:
    bell, state = ThreadBell(), list[int]()

    def looks() -> bool:
        found = bool(state)
        state.append(1)  # the change comes just after the look …
        bell.ring()  # … and the ring just before the wait
        return found

    bell.wait(looks, BOUND)
    assert state == [1]


def test_a_thread_is_woken_from_another() -> None:
    bell, state, looked = ThreadBell(), list[int](), threading.Event()

    def looks() -> bool:
        looked.set()
        return bool(state)

    def change() -> None:
        assert looked.wait(BOUND)
        state.append(1)
        bell.ring()

    changer = threading.Thread(target=change)
    changer.start()
    while not state:
        bell.wait(looks, BOUND)
    changer.join()


def test_a_task_that_has_what_it_waits_for_does_not_wait() -> None:
    async def wait() -> None:
        bell = LoopBell(crossing=False)
        await bell.wait(lambda: True)
        assert not bell.listening

    asyncio.run(wait())


@pytest.mark.parametrize("timeout", [0, -1, 0.001])
def test_a_task_waits_no_longer_than_its_timeout(timeout: float) -> None:
    async def wait() -> None:
        bell = LoopBell(crossing=False)
        await bell.wait(lambda: False, timeout)
        assert not bell.listening

    asyncio.run(wait())


@pytest.mark.parametrize("crossing", [False, True])
def test_a_task_is_woken_by_a_change_that_comes_while_it_looks(crossing: bool) -> None:
    async def wait() -> None:
        bell, state = LoopBell(crossing=crossing), list[int]()

        def looks() -> bool:
            found = bool(state)
            state.append(1)
            bell.ring()
            return found

        await asyncio.wait_for(bell.wait(looks), BOUND)
        assert state == [1]

    asyncio.run(wait())


def test_a_task_is_woken_from_another_task() -> None:
    async def wait() -> None:
        bell, state = LoopBell(crossing=False), list[int]()

        async def change() -> None:
            state.append(1)
            bell.ring()

        changer = asyncio.create_task(change())
        await asyncio.wait_for(bell.wait(lambda: bool(state)), BOUND)
        await changer

    asyncio.run(wait())


def test_a_task_is_woken_from_a_thread() -> None:
    async def wait() -> None:
        bell, state, looked = LoopBell(crossing=True), list[int](), threading.Event()

        def looks() -> bool:
            looked.set()
            return bool(state)

        def change() -> None:
            assert looked.wait(BOUND)
            state.append(1)
            bell.ring()

        changing = asyncio.create_task(asyncio.to_thread(change))
        while not state:
            await asyncio.wait_for(bell.wait(looks), BOUND)
        await changing

    asyncio.run(wait())


def test_a_task_that_is_cancelled_no_longer_listens() -> None:
    async def wait() -> None:
        bell = LoopBell(crossing=False)
        task = asyncio.create_task(bell.wait(lambda: False))
        await asyncio.sleep(0)
        assert bell.listening
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not bell.listening
        bell.ring()

    asyncio.run(wait())


def test_a_ring_for_a_loop_that_is_closed_is_no_error() -> None:
    async def make() -> LoopBell:
        return LoopBell(crossing=True)

    bell = asyncio.run(make())
    bell.listening = True
    bell.ring()
