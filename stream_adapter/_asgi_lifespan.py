"""Drive the lifespan of an ASGI application, as a server does (ASGI Lifespan 2.0)."""

from __future__ import annotations

import asyncio
from typing import Any

from .types import ASGIApp, Message, Scope

__all__ = ["Lifespan"]


class Lifespan:
    """The lifespan of one application, in a task of its own. Belongs to one event loop.

    Args:
        app: the application.

    Attributes:
        state: set by the application for its requests; each request gets a copy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Send the startup event. An application that ends without an answer does not support lifespans: that is fine.

        Raises:
            RuntimeError: the application reported that its startup failed.
        """
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: Message | None = None
        self._answered = asyncio.Event()
        task = asyncio.create_task(self._run())
        try:
            answer = await self._send_event("startup")
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if answer is None:
            await asyncio.gather(task, return_exceptions=True)
        else:
            self._task = task

    async def shut_down(self) -> None:
        """Send the shutdown event, unless the application has ended.

        Raises:
            RuntimeError: the application reported that its shutdown failed.
        """
        if self._task is not None and not self._task.done():
            await self._send_event("shutdown")

    async def stop(self) -> None:
        """Send the shutdown event, and wait until the application has ended.

        Raises:
            RuntimeError: the application reported that its shutdown failed.
            Exception: what the application raised since it started.
        """
        try:
            await self.shut_down()
        finally:
            task, self._task = self._task, None
        if task is not None:
            await task

    async def _send_event(self, name: str) -> Message | None:
        """Send an event; return the application's answer, None if the application ends without one."""
        self._answer = None
        self._answered.clear()
        self._events.put_nowait({"type": f"lifespan.{name}"})
        await self._answered.wait()
        answer: Message | None = self._answer
        if answer is not None and answer["type"] == f"lifespan.{name}.failed":
            raise RuntimeError(f"the application's {name} failed: {answer.get('message', '')}")
        return answer

    async def _receive_answer(self, message: Message) -> None:
        self._answer = self._answer or message
        self._answered.set()

    async def _run(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._events.get, self._receive_answer)
        finally:
            self._answered.set()
