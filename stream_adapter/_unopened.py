"""Close the source of a response that no server takes: it was dropped, or an exception was raised after it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from contextvars import copy_context

from ._body import AsyncBody, SyncBody
from ._pump import current_loop
from ._pump.tasks import eager_task
from ._response import Response
from .errors import StreamAdapterError

__all__ = ["aclose_unopened", "close_unopened", "discard_unopened"]

_closing = set[asyncio.Task[None]]()  # the loop itself holds tasks weakly


def close_unopened(response: Response) -> None:
    """Close the source of `response`. Does nothing if another response has taken the source, and closes it."""
    with suppress(StreamAdapterError):
        SyncBody(response.resolve()).close()


def discard_unopened(response: Response) -> None:
    """Close the source of `response` from where nothing can be awaited: the `__del__` of what was made of it.

    On an event loop a task closes it, because an async close may have to wait. The task has begun when this returns:
    the loop of an async view under WSGI ends with the view.
    """
    if sys.is_finalizing():
        return
    loop = current_loop()
    if loop is None:
        close_unopened(response)
        return
    task = eager_task(loop, _aclose_here(response), copy_context())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def _aclose_here(response: Response) -> None:
    with suppress(StreamAdapterError):
        await AsyncBody(await response.aresolve()).aclose_unstarted()


async def aclose_unopened(response: Response) -> None:
    """Close the source of `response`, on the event loop; as `close_unopened`."""
    with suppress(StreamAdapterError):
        await AsyncBody(await response.aresolve()).aclose()
