"""The background loop: one event loop, in its own thread, for async sources under a sync server.

It starts on first use and lives as long as the process, so that a client made in an async view belongs to the same loop
as the view's generator, and connection pools outlive the request. A forked child starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from stream_adapter.errors import UnsupportedError

from .context import copy_variables

__all__ = ["background_loop", "is_on_background_loop", "run"]

T = TypeVar("T")

_EXIT_GRACE = 2.0  # seconds that sources have at the end of the process


class _Background:
    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            with self._lock:
                loop = self._loop
                if loop is None:
                    _refuse_gevent()
                    loop = self._loop = asyncio.new_event_loop()
                    self.thread = threading.Thread(target=loop.run_forever, name="stream_adapter.loop", daemon=True)
                    self.thread.start()
        return loop

    def close(self) -> None:
        """Cancel the tasks that still run, so that their `finally` runs, and stop the loop."""
        loop, self._loop = self._loop, None
        if loop is None or loop.is_closed():
            return

        async def end_tasks() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_EXIT_GRACE) if tasks else None
            await loop.shutdown_asyncgens()
            loop.stop()

        asyncio.run_coroutine_threadsafe(end_tasks(), loop)
        if self.thread is not None:
            self.thread.join(2 * _EXIT_GRACE)
        if not loop.is_running():
            loop.close()

    def after_fork(self) -> None:
        """Start without a loop in a forked child: the parent's thread does not run there."""
        self._kept_open = (
            self._loop
        )  # a closed loop would close the descriptors that it shares with the parent's selector
        self._reset()


def _refuse_gevent() -> None:
    """Raise if threads are greenlets: the loop would not have a thread of its own, and would block all others."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise UnsupportedError(
            "an async source cannot be streamed from a worker that gevent has patched; use gunicorn's gthread worker"
            " or an ASGI server, or give a sync source"
        )


_background = _Background()
os.register_at_fork(after_in_child=_background.after_fork)
atexit.register(_background.close)


def is_on_background_loop() -> bool:
    """Return True in the loop's own thread."""
    return threading.current_thread() is _background.thread


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop, running in its thread, to a caller that will wait for it.

    Raises:
        RuntimeError: called in the loop's own thread, which would wait for itself without end.
        UnsupportedError: gevent has patched the threads.
    """
    if is_on_background_loop():
        raise RuntimeError("this would block the event loop on which it is to run; use the async form")
    return _background.loop()


def run(coroutine: Coroutine[Any, Any, T], context: Context | None = None) -> T:
    """Run a coroutine on the background loop and return its result; call it from any other thread.

    The caller's interruption (KeyboardInterrupt, a worker's time-out) cancels the coroutine.

    Args:
        coroutine: what to run.
        context: where it runs. If None, a copy of the caller's, and the variables that it sets are set for the caller.

    Raises:
        RuntimeError: called on the background loop itself, which would wait for itself without end.
        UnsupportedError: gevent has patched the threads.
    """
    try:
        loop = background_loop()
    except RuntimeError:
        coroutine.close()
        raise
    where = copy_context() if context is None else context
    tasks: list[asyncio.Task[T]] = []
    finished = threading.Event()

    def begin() -> None:
        task = loop.create_task(coroutine, context=where)
        task.add_done_callback(lambda _: finished.set())
        tasks.append(task)

    loop.call_soon_threadsafe(begin)
    try:
        finished.wait()
    except BaseException:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
        raise
    if context is None:
        copy_variables(where)
    return tasks[0].result()
