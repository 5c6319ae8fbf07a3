"""The source of a run: iterated and closed in one task of the run's loop, or in one thread."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import Any

from stream_adapter._broker._frameworks import close_connections, own_thread, take_locals
from stream_adapter._broker._payloads import pack
from stream_adapter._log import log_stream
from stream_adapter._pump import Cancelled, call_for_future, lease, run
from stream_adapter._source import Kind, Source

from ._options import Work
from ._outbox import Outbox

__all__ = ["closing", "drive", "drive_here"]

_CLOSE_TIMEOUT = 5.0  # seconds after which a source that does not close is abandoned

_IN_A_THREAD = frozenset({Kind.ONE, Kind.ITEMS, Kind.SYNC, Kind.EITHER})


async def drive(work: Work | Source, outbox: Outbox, in_threads: set[asyncio.Future[Any]]) -> None:
    """Put the items of a run's source into its outbox, in the task that owns the source.

    Args:
        work: the source, or what makes it.
        outbox: closed when the run is over.
        in_threads: has what runs in a thread, for as long as it runs: it may end after the task, which was cancelled.

    Raises:
        Exception: what the source, or the encoding of one of its items, has raised.
        Stopped: the run is over.
    """
    async with own_thread():
        try:
            await _drive(work, outbox, in_threads)
        except (SystemExit, KeyboardInterrupt) as error:  # a task that raises it ends its loop, and with it the server
            raise RuntimeError(f"the source raised {type(error).__name__}") from error


async def _drive(work: Work | Source, outbox: Outbox, in_threads: set[asyncio.Future[Any]]) -> None:
    source: Source | None
    if isinstance(work, Source):
        source = work
    elif work.is_async:
        source = Source(work.factory(*work.arguments))
    else:
        source = await _in_thread(lambda: _begin_in_thread(work, outbox), in_threads)
    while source is not None and source.kind is Kind.AWAITABLE:
        source = Source(await source.content)
    if source is None:
        return
    sync_source = source
    if source.kind in _IN_A_THREAD:
        await _in_thread(lambda: drive_here(sync_source, outbox), in_threads)
    else:
        await _drive_async(source, outbox)


def _begin_in_thread(work: Work, outbox: Outbox) -> Source | None:
    """Call a plain function, and iterate what it returns; return a source that belongs on the loop."""
    source = Source(work.factory(*work.arguments))
    if source.kind not in _IN_A_THREAD:
        return source
    drive_here(source, outbox)
    return None


def drive_here(source: Source, outbox: Outbox) -> None:
    """Put the items of a sync source into the outbox, in this thread; close it here, too."""
    try:
        for item in source.iterate():
            outbox.put_in_thread(pack(item, None))
    finally:
        try:
            source.close(run)
        except Exception as error:  # noqa: BLE001  # it is logged; the run is not to blame
            source.close_failed(error)


async def _drive_async(source: Source, outbox: Outbox) -> None:
    try:
        iterator = source.aiterate()
        cancellation = await _put_items(iterator, outbox)
        while cancellation is not None:
            cancellation = await _put_items(Cancelled(iterator, cancellation), outbox)
    finally:
        try:
            await source.aclose()
        except Exception as error:  # noqa: BLE001  # it is logged; the run is not to blame
            source.close_failed(error)


async def _put_items(iterator: AsyncIterator[object], outbox: Outbox) -> asyncio.CancelledError | None:
    """Put each item; return a cancellation that came while the source stood at a `yield`, and that is its own."""
    async for item in iterator:
        if outbox.put(pack(item, None)):
            try:
                await _room(outbox)
            except asyncio.CancelledError as cancellation:
                if outbox.is_closed:
                    raise
                return cancellation
    return None


async def closing(source: asyncio.Task[None], in_threads: set[asyncio.Future[Any]], log_name: str) -> None:
    """Wait until the task that owns the source has closed it, and its threads have ended; abandon one that does not."""
    open_still: set[asyncio.Future[Any]] = {source, *in_threads}
    _, open_still = await asyncio.wait(open_still, timeout=_CLOSE_TIMEOUT)
    if open_still:
        problem = f"its source did not close within {_CLOSE_TIMEOUT:g} s"
        log_stream(logging.WARNING, log_name, problem, "abandoning it")
    if source.done() and not source.cancelled():
        source.exception()  # it is looked at


async def _room(outbox: Outbox) -> None:
    room = asyncio.get_running_loop().create_future()

    def is_there() -> None:
        if not room.done():
            room.set_result(None)

    outbox.when_room(is_there)
    await room


async def _in_thread(function: Callable[[], Any], in_threads: set[asyncio.Future[Any]]) -> Any:
    """Run a function in a thread of the pool, in this task's context.

    A cancellation does not wait for the thread: it ends at its next item, because the outbox is closed.
    """
    worker = lease()
    done: Future[Any] = Future()
    context = contextvars.copy_context()

    def run_function() -> Any:
        take_locals()
        return call_for_future(function)

    def job() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            result = context.run(run_function)
        except BaseException as error:  # noqa: BLE001  # raised in the task
            done.set_exception(error)
        else:
            done.set_result(result)
        finally:
            close_connections()

    worker.submit(job)
    worker.release()
    waiting = asyncio.wrap_future(done)
    in_threads.add(waiting)
    waiting.add_done_callback(in_threads.discard)
    try:
        return await asyncio.shield(waiting)
    finally:
        if not waiting.done():
            done.cancel()  # if it has not begun
            waiting.add_done_callback(_take_exception)


def _take_exception(waiting: asyncio.Future[Any]) -> None:
    if not waiting.cancelled():
        waiting.exception()
