"""What frameworks keep for a request: its language, which a run has too; a loop and connections, which it must not use.

Flask, and Django under WSGI, run an async view on an event loop that asgiref makes for it, and ends with it. A run has
the request's context variables. By some of them asgiref finds the thread in which the request's sync code runs, with
that thread's connections of Django. A run is given a thread of its own. Others, such as Django's active language and
time zone, name the thread that they are for, from asgiref 3.13 on: they are handed on. Nothing is imported here: what
the application has not imported, its sources do not use.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from stream_adapter._log import log_close_failure

__all__ = ["close_connections", "is_of_a_view", "own_thread", "take_locals"]


def is_of_a_view(loop: asyncio.AbstractEventLoop) -> bool:
    """Return True if a loop ends with the async view that runs on it, as asgiref's do for WSGI."""
    asgiref: Any = sys.modules.get("asgiref.sync")
    loops: Any = getattr(getattr(asgiref, "AsyncToSync", None), "loop_thread_executors", ())
    return loop in loops


def take_locals() -> None:
    """Make what asgiref keeps in the context for another thread visible in this one."""
    restore: Any = getattr(sys.modules.get("asgiref.sync"), "_restore_context", None)
    if restore is not None:
        restore(copy_context())


@asynccontextmanager
async def own_thread() -> AsyncGenerator[None]:
    """Give the sync code under an async source, which asgiref runs, a thread of its own; close its connections.

    `ThreadSensitiveContext` cannot be entered within that of a request, so its variable is set; see asgiref's sync.py.
    """
    asgiref: Any = sys.modules.get("asgiref.sync")
    contexts = getattr(getattr(asgiref, "SyncToAsync", None), "thread_sensitive_context", None)
    if contexts is None:
        yield
        return
    take_locals()
    asgiref.AsyncToSync.executors.current = None  # that of a caller waits for its view, and not for the run
    own = asgiref.ThreadSensitiveContext()
    contexts.set(own)
    try:
        yield
    finally:
        executors: Any = asgiref.SyncToAsync.context_to_thread_executor
        if own in executors:
            await asgiref.sync_to_async(close_connections, thread_sensitive=True)()
            executors.pop(own).shutdown(wait=False)


def close_connections() -> None:
    """Close the connections that Django has opened in this thread."""
    database: Any = sys.modules.get("django.db")
    conf: Any = sys.modules.get("django.conf")
    if database is not None and conf is not None and conf.settings.configured:
        try:
            database.connections.close_all()
        except Exception as error:  # noqa: BLE001  # the run has ended
            log_close_failure("Django's connections of a run", error)
