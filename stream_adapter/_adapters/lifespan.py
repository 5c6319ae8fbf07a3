"""The lifespan of an ASGI application in a process that knows of none (ASGI Lifespan 2.0).

It starts with the first request, on the loop on which the application runs, and shuts down when the process exits. A
child process that is forked has a lifespan of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from stream_adapter._lifecycle import drain
from stream_adapter._log import log_stream
from stream_adapter._pump import run
from stream_adapter.types import ASGIApp, Message

__all__ = ["Lifespan"]

_NAME = "lifespan (ASGI application)"

_GRACE = 5.0  # seconds that live streams have at the end of the process, and then the application's shutdown


class Lifespan:
    """That of one application.

    Args:
        app: the application. One that knows no lifespan raises, and does without.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._life: _Life | None = None

    def begin(self) -> dict[str, Any]:
        """Start the application up, unless this process has; return its state.

        Raises:
            RuntimeError: it said that it cannot start; the next request tries again.
        """
        life = self._life
        if life is None or life.process != os.getpid():
            with self._lock:
                life = self._life
                if life is None or life.process != os.getpid():
                    life = _Life(self._app)
                    _run(life.start_up())
                    _at_exit(life.end)
                    self._life = life
        return life.state


class _Life:
    def __init__(self, app: ASGIApp) -> None:
        self.process = os.getpid()
        self.state: dict[str, Any] = {}
        self._app = app
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start_up(self) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._task = asyncio.create_task(self._live())
        await self._ask("lifespan.startup")
        if self._failure is not None:
            raise RuntimeError(f"the lifespan of the ASGI application failed to start: {self._failure}")

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._to_app.get, self._send)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is not the loop's
            log_stream(logging.DEBUG, _NAME, "not supported, or failed", "the application does without", error=error)
        finally:
            self._answered.set()

    async def _send(self, message: Message) -> None:
        if message["type"].endswith(".failed"):
            self._failure = message.get("message", "")
        self._answered.set()

    async def _ask(self, type_: str) -> None:
        self._answered.clear()
        await self._to_app.put({"type": type_})
        await self._answered.wait()

    def end(self) -> None:
        """Shut the application down, once its streams are closed; at the end of the process that started it."""
        if self.process == os.getpid():
            drain(_GRACE)
            _run(self._shut_down())

    async def _shut_down(self) -> None:
        if self._task is None or self._task.done():
            return
        try:
            await asyncio.wait_for(self._ask("lifespan.shutdown"), _GRACE)
        except TimeoutError:
            self._failure = f"it did not within {_GRACE:g} s"
        if self._failure is not None:
            happened = f"the application failed to shut down: {self._failure}"
            log_stream(logging.ERROR, _NAME, happened, "the process ends nevertheless")


def _at_exit(act: Callable[[], object]) -> None:
    """Have it done while threads can still be started and executors take work, as an application's shutdown may need.

    When `atexit` calls, that is over; and there is no public name for the moment before.
    """
    threading._register_atexit(act)  # type: ignore[attr-defined]  # noqa: SLF001  # see above


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    run(coroutine, copy_context())
