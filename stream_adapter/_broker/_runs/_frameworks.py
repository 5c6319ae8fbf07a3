"""Database connections that frameworks keep for a request, in its context or thread: a run must not use them.

A run has the request's context variables. By some of them asgiref finds the thread in which the request's sync code
runs, with that thread's connections of Django. A run is given a thread of its own. Nothing is imported here: what the
application has not imported, its sources do not use.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from stream_adapter._log import log_close_failure

__all__ = ["close_connections", "own_thread"]


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
    if getattr(asgiref.AsyncToSync.executors, "current", None) is not None:
        asgiref.AsyncToSync.executors.current = None  # of a caller that waits for its view, and not for the run
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
