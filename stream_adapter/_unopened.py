"""Close the source of a response that no server takes: it was dropped, or an exception was raised after it."""

from __future__ import annotations

from contextlib import suppress

from ._body import AsyncBody, SyncBody
from ._response import Response
from .errors import StreamAdapterError

__all__ = ["aclose_unopened", "close_unopened"]


def close_unopened(response: Response) -> None:
    """Close the source of `response`. Does nothing if another response has taken the source, and closes it."""
    with suppress(StreamAdapterError):
        SyncBody(response.resolve()).close()


async def aclose_unopened(response: Response) -> None:
    """Close the source of `response`, on the event loop; as `close_unopened`."""
    with suppress(StreamAdapterError):
        await AsyncBody(await response.aresolve()).aclose()
