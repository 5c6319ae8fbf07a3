"""What Django's handlers iterate: the blocks of a body, which keep the response alive.

Under ASGI Django iterates and closes `aclosing(aiter(response))`, and nothing else. A response that nothing holds is
closed, and with it its source. So what is iterated holds the response, until a middleware puts other content in its
place: that content holds what it was made of, and would otherwise hold itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import chain
from typing import Any

from stream_adapter.integration import AsyncBody, Resolved, SendWatch, break_connection

__all__ = ["Blocks", "HeldAsyncBlocks", "HeldBlocks"]

_closing: set[asyncio.Task[None]] = set()  # a loop holds its tasks weakly


class Blocks(AsyncIterator[bytes]):
    """The blocks of a body. No async generator: one that was never started is closed like any other.

    Args:
        resolve: returns what is sent; called on the loop.
        open_body: makes a body of that.
        close_unopened: closes what the body would have been made of.
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Resolved]],
        open_body: Callable[[Resolved], AsyncBody],
        close_unopened: Callable[[], object],
    ) -> None:
        self._resolve = resolve
        self._open = open_body
        self._close_unopened = close_unopened
        self._body: AsyncBody | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = self._sending = self._interrupted = False
        self._watch: SendWatch | None = None

    def hold_to(self, headers: Iterable[tuple[str, str]]) -> None:
        """Hold the body to the Content-Length of the head that is sent; does nothing before the start.

        Raises:
            ContentLengthError: the length of the body is known, and it is another one.
        """
        if self._body is not None:
            self._body.hold_to(headers)

    async def start(self) -> AsyncBody:
        """Open the body and pull its first item."""
        if self._body is None:
            self._loop = asyncio.get_running_loop()
            self._body = self._open(await self._resolve())
            if self._closed:  # while `resolve` was awaited
                await self._body.aclose()
            self._body.interruption.callback = self._on_interrupt
        await self._body.start()
        return self._body

    async def __anext__(self) -> bytes:
        self._sending = False
        if self._watch is not None:
            self._watch.end_send()
        body = self._body or await self.start()
        try:
            if self._interrupted:
                raise body.ending()  # noqa: TRY301  # handled as what the source raises
            block = None if self._closed else await body.next()
        except Exception:
            await break_connection(body)
            raise
        if block is None:
            await self.aclose()
            raise StopAsyncIteration
        self._watch_progress(body, len(block))
        self._sending = True
        return block

    def _watch_progress(self, body: AsyncBody, size: int) -> None:
        """Watch whether the client takes what Django sends it."""
        if self._watch is None:
            self._watch = SendWatch.of(body)
        if self._watch is not None:
            self._watch.begin_send(size)

    def _on_interrupt(self) -> None:
        """Close the body while Django sends, which may take without end: its `send` cannot be interrupted."""
        self._interrupted = True
        if self._sending:
            self._begin_to_close()

    async def aclose(self) -> None:
        """Close the body: the source is closed when this returns."""
        if self._watch is not None:
            self._watch.close()
        if self._body is not None:
            self._closed = True
            await self._body.aclose()
            self._body.interruption.callback = None  # a cycle with this object, which a garbage collector would find
        else:
            self.close_soon()

    def close_soon(self) -> None:
        """Close the body later, from any thread. Nothing waits: the source may need the waiting thread to close."""
        if self._closed:
            return
        if self._body is None or self._loop is None:
            self._closed = True
            self._close_unopened()
            return
        try:
            self._loop.call_soon_threadsafe(self._begin_to_close)
        except RuntimeError:  # the loop is closed, and every task of it has ended
            return

    def _begin_to_close(self) -> None:
        task = asyncio.get_running_loop().create_task(self.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


class HeldBlocks(chain[bytes]):
    """The blocks of a sync body. `chain` passes them on at no cost, and ends with them without closing them."""

    holds: object = None  # the response


class HeldAsyncBlocks(AsyncIterator[bytes]):
    """The blocks of an async body."""

    def __init__(self, blocks: Any) -> None:
        self._blocks = blocks
        self.holds: object = None  # the response

    def __anext__(self) -> Any:
        """Return what awaits the next block."""
        return self._blocks.__anext__()

    async def aclose(self) -> None:
        """Close the body, and let the response go."""
        self.holds = None
        await self._blocks.aclose()
