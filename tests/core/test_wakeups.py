"""The wakers: no wake-up is lost, and none is sent while the other side does not wait."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stream_adapter._pump import LoopWaker, ThreadWaker
from stream_adapter._pump.wakeups import Waker
from tests.support.gate import BOUND


class CountingWaker(Waker):
    def __init__(self) -> None:
        super().__init__()
        self.wakes = 0

    def _notify(self) -> None:
        self.wakes += 1


def test_wake_notifies_once_and_only_while_the_other_side_waits() -> None:
    waker = CountingWaker()
    waker.wake()
    assert waker.wakes == 0
    waker.waiting = True
    waker.wake()
    waker.wake()
    assert waker.wakes == 1
    assert not waker.waiting


def test_wake_always_notifies_on_every_wake() -> None:
    waker = CountingWaker()
    waker.wake_always()
    waker.wake()
    waker.wake()
    assert waker.wakes == 2


def test_thread_waker_whose_condition_holds_does_not_wait() -> None:
    waker = ThreadWaker()
    waker.wait(lambda: True)
    assert not waker.waiting


@pytest.mark.parametrize("timeout", [0, -1, 0.001])
def test_a_thread_waits_no_longer_than_its_timeout(timeout: float) -> None:
    waker = ThreadWaker()
    waker.wait(lambda: False, timeout)
    assert not waker.waiting


def test_thread_waker_sees_a_change_made_while_its_condition_is_checked() -> None:
    waker, state = ThreadWaker(), list[int]()

    def looks() -> bool:
        found = bool(state)
        state.append(1)  # the change comes just after the look …
        waker.wake()  # … and the wake-up just before the wait
        return found

    waker.wait(looks, BOUND)
    assert state == [1]


def test_a_thread_is_woken_from_another() -> None:
    waker, state, looked = ThreadWaker(), list[int](), threading.Event()

    def looks() -> bool:
        looked.set()
        return bool(state)

    def change() -> None:
        assert looked.wait(BOUND)
        state.append(1)
        waker.wake()

    changer = threading.Thread(target=change)
    changer.start()
    while not state:
        waker.wait(looks, BOUND)
    changer.join()


def test_loop_waker_whose_condition_holds_does_not_wait() -> None:
    async def wait() -> None:
        waker = LoopWaker(threadsafe=False)
        await waker.wait(lambda: True)
        assert not waker.waiting

    asyncio.run(wait())


@pytest.mark.parametrize("timeout", [0, -1, 0.001])
def test_a_task_waits_no_longer_than_its_timeout(timeout: float) -> None:
    async def wait() -> None:
        waker = LoopWaker(threadsafe=False)
        await waker.wait(lambda: False, timeout)
        assert not waker.waiting

    asyncio.run(wait())


@pytest.mark.parametrize("threadsafe", [False, True])
def test_loop_waker_sees_a_change_made_while_its_condition_is_checked(threadsafe: bool) -> None:
    async def wait() -> None:
        waker, state = LoopWaker(threadsafe=threadsafe), list[int]()

        def looks() -> bool:
            found = bool(state)
            state.append(1)
            waker.wake()
            return found

        await asyncio.wait_for(waker.wait(looks), BOUND)
        assert state == [1]

    asyncio.run(wait())


def test_a_task_is_woken_from_another_task() -> None:
    async def wait() -> None:
        waker, state = LoopWaker(threadsafe=False), list[int]()

        async def change() -> None:
            state.append(1)
            waker.wake()

        changer = asyncio.create_task(change())
        await asyncio.wait_for(waker.wait(lambda: bool(state)), BOUND)
        await changer

    asyncio.run(wait())


def test_a_task_is_woken_from_a_thread() -> None:
    async def wait() -> None:
        waker, state, looked = LoopWaker(threadsafe=True), list[int](), threading.Event()

        def looks() -> bool:
            looked.set()
            return bool(state)

        def change() -> None:
            assert looked.wait(BOUND)
            state.append(1)
            waker.wake()

        changing = asyncio.create_task(asyncio.to_thread(change))
        while not state:
            await asyncio.wait_for(waker.wait(looks), BOUND)
        await changing

    asyncio.run(wait())


def test_cancelled_task_no_longer_waits() -> None:
    async def wait() -> None:
        waker = LoopWaker(threadsafe=False)
        task = asyncio.create_task(waker.wait(lambda: False))
        await asyncio.sleep(0)
        assert waker.waiting
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not waker.waiting
        waker.wake()

    asyncio.run(wait())


def test_wake_after_the_loop_is_closed_does_nothing() -> None:
    async def make() -> LoopWaker:
        return LoopWaker(threadsafe=True)

    waker = asyncio.run(make())
    waker.waiting = True
    waker.wake()
