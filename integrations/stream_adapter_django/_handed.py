"""What a response hands out to be iterated: its blocks, which keep it alive.

A response that nothing holds is closed, and with it its source. So what is iterated holds it, until a middleware puts
other content in its place: that content holds what it was made of, and would otherwise hold itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import chain
from typing import Any

__all__ = ["HeldAsyncBlocks", "HeldBlocks"]


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
