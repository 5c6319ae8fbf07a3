"""An async source begins in the step that serves it, and has a task of its own; what never waits is not watched."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter._pump import Begun
from stream_adapter.integration import AsyncBody
from stream_adapter.types import Message, Scope

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
variable = ContextVar[str]("variable", default="unset")


async def never() -> Message:
    message: Message = await asyncio.get_running_loop().create_future()
    return message


class Sent(list[Message]):
    async def send(self, message: Message) -> None:
        self.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self)


async def ready() -> AsyncIterator[str]:
    yield "one"
    yield "two"


@pytest.mark.parametrize("content", [ready, lambda: "one", lambda: ["one", "two"]], ids=["async", "one chunk", "list"])
def test_response_that_never_waits_is_sent_in_one_step(content: Callable[[], Any]) -> None:
    async def main() -> None:
        sent = Sent()
        serving = sa.Response(content()).asgi(SCOPE, never, sent.send)
        with pytest.raises(StopIteration):
            serving.send(None)  # it suspends for nothing
        assert sent[0]["status"] == 200
        assert sent[-1]["more_body"] is False
        assert sent.body in {b"one", b"onetwo"}

    asyncio.run(main())


@pytest.mark.parametrize("content", [ready, lambda: "one", lambda: ["one", "two"]], ids=["async", "one chunk", "list"])
def test_response_that_never_waits_leaves_nothing_to_the_garbage_collector(content: Callable[[], Any]) -> None:
    async def left_by_20() -> int:
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await sa.Response(content()).asgi(SCOPE, never, Sent().send)
            await asyncio.sleep(0)  # the tasks of the sources end
            return gc.collect()
        finally:
            gc.enable()

    async def main() -> None:
        await sa.Response(content()).asgi(SCOPE, never, Sent().send)
        # objects: less than one per response. Threads of other tests may leave some, too, but not each time
        assert min([await left_by_20() for _ in range(3)]) < 20

    asyncio.run(main())


def test_stream_whose_client_left_leaves_nothing_to_the_garbage_collector() -> None:
    async def source() -> AsyncIterator[str]:
        yield "one"
        await asyncio.get_running_loop().create_future()

    async def serve() -> None:
        is_sent = asyncio.Event()

        async def send(message: Message) -> None:
            if message.get("body"):
                is_sent.set()

        async def receive() -> Message:
            await is_sent.wait()
            return {"type": "http.disconnect"}

        await sa.Response(source()).asgi(SCOPE, receive, send)

    async def main() -> None:
        await serve()
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await serve()
            await asyncio.sleep(0)  # the tasks of the sources end
            assert gc.collect() < 20  # objects: less than one per response
        finally:
            gc.enable()

    asyncio.run(main())


def test_source_has_one_task_of_its_own_from_its_first_step_to_its_close() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def source() -> AsyncIterator[str]:
        try:
            tasks.append(asyncio.current_task())
            yield "one"
            await asyncio.sleep(0)
            tasks.append(asyncio.current_task())
            yield "two"
        finally:
            tasks.append(asyncio.current_task())

    async def main() -> None:
        sent = Sent()
        request = asyncio.current_task()
        await sa.Response(source()).asgi(SCOPE, never, sent.send)
        assert asyncio.current_task() is request
        assert sent.body == b"onetwo"
        assert len(set(tasks)) == 1
        assert tasks[0] not in {request, None}

    asyncio.run(main())


def test_deadline_entered_in_the_first_step_is_that_of_the_source() -> None:
    async def source() -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(0.001):
                yield "one"
                await never()
        except TimeoutError:
            yield "late"

    async def main() -> None:
        sent = Sent()
        await sa.Response(source()).asgi(SCOPE, never, sent.send)
        assert sent.body == b"onelate"

    asyncio.run(main())


def test_variable_set_in_the_first_step_stays_in_the_source() -> None:
    seen: list[str] = []

    async def source() -> AsyncIterator[str]:
        seen.append(variable.get())
        variable.set("source")
        yield "one"
        await asyncio.sleep(0)
        seen.append(variable.get())

    async def main() -> None:
        variable.set("request")
        await sa.Response(source()).asgi(SCOPE, never, Sent().send)
        assert variable.get() == "request"

    asyncio.run(main())
    assert seen == ["request", "source"]


def test_source_closed_in_its_first_step_cancels_what_it_waits_for_and_closes_once() -> None:
    events: list[str] = []

    async def inner() -> None:
        try:
            await never()
        except asyncio.CancelledError:
            events.append("inner cancelled")
            raise

    async def source() -> AsyncIterator[str]:
        try:
            yield "one"
            await asyncio.gather(inner(), asyncio.sleep(0))
        finally:
            events.append("closed")

    async def main() -> None:
        body = AsyncBody(sa.Response(source()).resolve())
        await body.start()  # the source waits for the gathered tasks, which have not begun
        await body.aclose()
        await body.aclose()
        assert events in (["closed"], ["inner cancelled", "closed"])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def failing(wait: Callable[[], Awaitable[object]] | None) -> AsyncIterator[str]:
    async def source() -> AsyncIterator[str]:
        if wait is not None:
            await wait()
        raise LookupError("no such row")
        yield "never"

    return source()


@pytest.mark.parametrize("wait", [None, lambda: asyncio.sleep(0)], ids=["at once", "after a wait"])
def test_source_that_fails_before_its_first_item_raises_to_the_server(wait: Any) -> None:
    async def main() -> None:
        sent = Sent()
        with pytest.raises(LookupError, match="no such row"):
            await sa.Response(failing(wait)).asgi(SCOPE, never, sent.send)
        assert sent == []

    asyncio.run(main())


def test_client_that_leaves_while_the_first_send_waits_ends_the_source() -> None:
    events: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "one"
            await never()
        finally:
            events.append("closed")

    async def main() -> None:
        is_sending = asyncio.Event()

        async def send(_: Message) -> None:
            is_sending.set()
            await never()

        async def receive() -> Message:
            await is_sending.wait()
            return {"type": "http.disconnect"}

        async with asyncio.timeout(30):
            await sa.Response(source()).asgi(SCOPE, receive, send)
        assert events == ["closed"]

    asyncio.run(main())


def test_send_timeout_counts_a_first_send_that_never_returns() -> None:
    async def main() -> None:
        async def send(_: Message) -> None:
            await never()

        response = sa.Response(ready(), limits=sa.Limits(send_timeout=0.05))
        async with asyncio.timeout(30):
            await response.asgi(SCOPE, never, send)

    asyncio.run(main())


def test_source_that_is_always_ready_lets_other_tasks_run() -> None:
    async def source() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    async def main() -> None:
        async def leave() -> Message:
            await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async with asyncio.timeout(30):
            await sa.Response(source()).asgi(SCOPE, leave, Sent().send)

    asyncio.run(main())


async def _awaited(begun: Begun[None]) -> None:
    if await begun.first_wait():
        await begun


@pytest.mark.parametrize("ends", ["raises", "returns", "waits again"])
def test_cancellation_at_the_first_wait_is_raised_where_the_coroutine_waits(ends: str) -> None:
    events: list[str] = []

    async def work() -> None:
        try:
            await never()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            events.append("cancelled")
            if ends == "raises":
                raise
        if ends == "waits again":
            await asyncio.sleep(0)
            events.append("went on")

    async def main() -> None:
        begun = Begun(work())
        assert begun.begin()
        task = asyncio.create_task(_awaited(begun))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is (ends == "raises")

    asyncio.run(main())
    assert events == (["cancelled", "went on"] if ends == "waits again" else ["cancelled"])


def test_coroutine_awaited_after_its_first_wait_raises_and_is_closed_where_it_stands() -> None:
    closed: list[str] = []

    async def work(*, fails: bool) -> None:
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            if fails:
                raise LookupError
            await never()
        finally:
            closed.append("closed")

    async def main() -> None:
        failing, waiting = Begun(work(fails=True)), Begun(work(fails=False))
        assert failing.begin()
        with pytest.raises(LookupError):
            await _awaited(failing)
        assert waiting.begin()
        awaiting = _awaited(waiting)
        awaiting.send(None)
        awaiting.close()

    asyncio.run(main())
    assert closed == ["closed", "closed"]
