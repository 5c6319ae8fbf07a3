"""A scripted ASGI server, in process: what a test sends it, and what the application sent back, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from stream_adapter.types import ASGIApp, Message, Scope
from tests.support.gate import BOUND

__all__ = ["Exchange", "exchange", "http_scope", "messages_of"]


def http_scope(**given: Any) -> Scope:
    """Make a scope as sparse as the protocol allows, and fill in what is given."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
    }
    scope.update(given)
    return scope


class Exchange:
    """One request to an application that runs.

    Attributes:
        received: how many messages have been taken.
    """

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self.received = 0
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.ensure_future(app(scope, self._receive, self._from_app.put))

    async def _receive(self) -> Message:
        message = await self._to_app.get()
        self.received += 1
        return message

    def send(self, body: bytes = b"", *, more: bool = False) -> None:
        """Have a part of the request's body arrive."""
        self._to_app.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def disconnect(self) -> None:
        """Disconnect."""
        self._to_app.put_nowait({"type": "http.disconnect"})

    async def next(self) -> Message:
        """Return the next message of the application's."""
        following = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait((following, self.task), timeout=BOUND, return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            await self.task  # it has ended; with what it was raised
            raise AssertionError("the application has ended")
        return following.result()

    async def end(self) -> None:
        """Wait until the application has returned."""
        await asyncio.wait_for(self.task, BOUND)


@asynccontextmanager
async def exchange(
    app: ASGIApp, parts: Iterable[bytes] = (), *, complete: bool = True, **scope: Any
) -> AsyncGenerator[Exchange]:
    """Ask, with a body of these parts; a test that sends more of it says that it is not complete."""
    asked = Exchange(app, http_scope(**scope))
    for part in parts:
        asked.send(part, more=True)
    if complete:
        asked.send()
    try:
        yield asked
    finally:
        asked.disconnect()
        asked.task.cancel()
        await asyncio.gather(asked.task, return_exceptions=True)


def messages_of(app: ASGIApp, parts: Iterable[bytes] = (), **scope: Any) -> list[Message]:
    """Return all that an application sends: its start, and blocks of the body or the path of a file."""

    async def ask() -> list[Message]:
        messages: list[Message] = []
        async with exchange(app, parts, **scope) as asked:
            while not messages or ("path" not in messages[-1] and messages[-1].get("more_body", True)):
                messages.append(await asked.next())
            await asked.end()
        return messages

    return asyncio.run(ask())
