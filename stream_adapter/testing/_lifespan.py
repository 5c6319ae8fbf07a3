"""An application's lifespan, as a server runs it (ASGI lifespan 2.0)."""

from __future__ import annotations

import asyncio
from typing import Any

from stream_adapter.types import ASGIApp, Message, Scope

__all__ = ["Lifespan"]


class Lifespan:
    """The lifespan of one application, in a task of its own.

    Attributes:
        state: what the application leaves for its requests; each has a copy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    async def start(self) -> None:
        """Have it start up. An application that ends instead knows no lifespan, which it may.

        Raises:
            RuntimeError: it says that its start-up failed.
        """
        task = asyncio.create_task(self._run())
        try:
            answer = await self._ask("startup")
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if answer == "over":
            await asyncio.gather(task, return_exceptions=True)
        else:
            self._task = task

    async def stop(self) -> None:
        """Have it shut down.

        Raises:
            RuntimeError: it says that its shutdown failed.
            Exception: what it raised since it started up.
        """
        task, self._task = self._task, None
        if task is not None:
            await self._ask("shutdown")
            await task

    async def _ask(self, event: str) -> str:
        self._requests.put_nowait({"type": f"lifespan.{event}"})
        answer = await self._answers.get()
        kind: str = answer["type"].removeprefix("lifespan.")
        if kind == f"{event}.failed":
            raise RuntimeError(f"the application's {event} failed: {answer.get('message', '')}")
        return kind

    async def _run(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._requests.get, self._answers.put)
        finally:
            self._answers.put_nowait({"type": "lifespan.over"})
