"""What frameworks keep for a request: its language, which a run has too; a loop and connections, which it must not use.

Flask, and Django under WSGI, run an async view on an event loop that asgiref makes for it, and ends with it. A run has
the request's context variables. By some of them asgiref finds the thread in which the request's sync code runs, with
that thread's connections of Django. A run is given a thread of its own. Others, such as Django's active language and
time zone, name the thread that they are for, from asgiref 3.13 on: they are handed on. Nothing is imported here: what
the application has not imported, its sources do not use.

A sync function of a subscription, which loads its state, runs in the request's thread where asgiref keeps one, as sync
code under an async view does: it sees what its caller sees. Others share the threads of the loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from inspect import signature
from typing import Any, TypeVar

from stream_adapter._log import log_close_failure
from stream_adapter._pump import call_for_future, is_on_background_loop

__all__ = ["call_in_thread", "close_connections", "is_of_a_view", "own_thread", "take_locals"]

T = TypeVar("T")


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


async def call_in_thread(function: Callable[[], T]) -> T:
    """Call a sync function of a user's on behalf of an event loop, and close the connections that it has opened."""

    def call() -> T:
        take_locals()
        try:
            return call_for_future(function)
        finally:
            close_connections()

    asgiref: Any = sys.modules.get("asgiref.sync")
    if asgiref is None:
        return await asyncio.to_thread(call_for_future, function)
    if _is_waited_for(asgiref):  # in the thread of a caller who has connections of its own there
        return await _in_request_thread(asgiref, partial(call_for_future, function))
    if _has_thread(asgiref):
        return await _in_request_thread(asgiref, call)
    return await asyncio.to_thread(call)


async def _in_request_thread(asgiref: Any, function: Callable[[], T]) -> T:
    result: T = await asgiref.sync_to_async(function, thread_sensitive=True)()
    return result


def _is_waited_for(asgiref: Any) -> bool:
    """Return True if sync code waits for this async code, and runs in its thread what is sync here."""
    waiting: Any = getattr(asgiref.AsyncToSync.executors, "current", None)
    with suppress(RuntimeError):  # it has waited: the response outlives its view
        if waiting:
            waiting.submit(_nothing)
            return True
    return False


def _has_thread(asgiref: Any) -> bool:
    """Return True if asgiref has a thread for this request already: one more for each listener would be too many.

    Before 3.13 it waits on the server's loop for that thread when the request ends, however long the function takes.
    """
    if not is_on_background_loop() and "executor" not in signature(asgiref.ThreadSensitiveContext).parameters:
        return False
    context = asgiref.SyncToAsync.thread_sensitive_context.get(None)
    executor = asgiref.SyncToAsync.context_to_thread_executor.get(context) if context is not None else None
    return bool(getattr(executor, "_threads", None))


def _nothing() -> None:
    pass


def close_connections() -> None:
    """Close the connections that Django has opened in this thread, but for those within a transaction: a caller's."""
    database: Any = sys.modules.get("django.db")
    conf: Any = sys.modules.get("django.conf")
    if database is not None and conf is not None and conf.settings.configured:
        try:
            for connection in database.connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    connection.close()
        except Exception as error:  # noqa: BLE001  # what used them has ended
            log_close_failure("Django's connections of a thread", error)
