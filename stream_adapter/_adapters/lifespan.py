"""The lifespan of an ASGI application in a process of a WSGI server, which does not run one.

It starts with the first request, on the loop on which the application runs, and shuts down when the process exits. A
forked child process has a lifespan of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from stream_adapter._asgi_lifespan import Lifespan
from stream_adapter._lifecycle import drain
from stream_adapter._log import log_stream
from stream_adapter._pump import run
from stream_adapter.types import ASGIApp, Receive, Scope, Send

__all__ = ["ProcessLifespan"]

_NAME = "lifespan (ASGI application)"

_GRACE = 5.0  # seconds for live streams to end at exit, and then again for the application's shutdown


class ProcessLifespan:
    """The lifespan of one application, once per process.

    Args:
        app: the application. If it does not support the lifespan protocol, it runs without one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._started: _Started | None = None

    def begin(self) -> dict[str, Any]:
        """Start the application, unless it is started in this process; return its state.

        Raises:
            RuntimeError: the application reported that its startup failed. The next request tries again.
        """
        started = self._started
        if started is None or started.process != os.getpid():
            with self._lock:
                started = self._started
                if started is None or started.process != os.getpid():
                    started = self._started = _Started(self._app)
        return started.state


class _Started:
    """A lifespan that has started in this process, and shuts down when the process exits."""

    def __init__(self, app: ASGIApp) -> None:
        self.process = os.getpid()
        self._lifespan = Lifespan(_without_errors(app))
        self.state = self._lifespan.state
        _run(self._lifespan.start())
        _at_exit(self._end)

    def _end(self) -> None:
        """Shut the application down once its streams are closed, in the process that started it."""
        if self.process == os.getpid():
            drain(_GRACE)
            _run(self._shut_down())

    async def _shut_down(self) -> None:
        try:
            await asyncio.wait_for(self._lifespan.shut_down(), _GRACE)
        except TimeoutError:
            happened = f"the application did not shut down within {_GRACE:g} s"
        except RuntimeError as error:
            happened = str(error)
        else:
            return
        log_stream(logging.ERROR, _NAME, happened, "the process exits nevertheless")


def _without_errors(app: ASGIApp) -> ASGIApp:
    """Return the application so that it logs an error of its lifespan instead of raising it."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except BaseException as error:  # noqa: BLE001  # it must not end the loop, which all applications share
            happened = "not supported by the application, or failed"
            log_stream(logging.DEBUG, _NAME, happened, "continuing without it", error=error)

    return logged


def _at_exit(act: Callable[[], object]) -> None:
    """Call `act` at exit, while threads can still be started and executors take work, as a shutdown may need.

    `atexit` calls too late for that, and an earlier moment has no public name.
    """
    threading._register_atexit(act)  # type: ignore[attr-defined]  # noqa: SLF001  # see above


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    run(coroutine, copy_context())
