"""Which thread a source runs in, and what Django has there.

    sync source, WSGI     the request's thread; a thread of the pool if it has a keepalive or a deadline
    async source, WSGI    the library's loop, with a thread for its ORM calls that is its own
    sync source, ASGI     the thread that asgiref keeps for the request
    async source, ASGI    the server's loop, with that thread for its ORM calls

A connection is closed in the thread that opened it: by Django in the request's, by us in all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from stream_adapter.integration import Host, client_connection

__all__ = ["asgi_host", "own_connections", "wsgi_host"]


def wsgi_host(environ: dict[str, Any] | None) -> Host:
    """Return what Django brings under WSGI; without the environ nobody sees a client go."""
    return Host(
        thread_exit=connections.close_all,
        around=own_connections,
        enter=_carried(),
        connection=None if environ is None else client_connection(environ),
    )


def asgi_host() -> Host:
    """Return what Django brings under ASGI. Call it on the loop, in the stream's context."""
    thread = _RequestThread()
    return Host(submit=thread, enter=_carried(), rests=True, left=thread.leave)


class _RequestThread:
    """Submits jobs to the thread that asgiref keeps for the request, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()  # asgiref finds the thread by what it has stored here
        self._request = SyncToAsync.thread_sensitive_context.get(None)
        self._running: set[asyncio.Task[object]] = set()  # the loop itself holds its tasks weakly

    def __call__(self, job: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(self._start, job, context=self._context)

    def _start(self, job: Callable[[], object]) -> None:
        task = self._loop.create_task(sync_to_async(job, thread_sensitive=True)())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def leave(self) -> None:
        """Have the request end without its thread, for which asgiref would wait: an older one on the loop, for all."""
        if self._request is not None:
            executor = SyncToAsync.context_to_thread_executor.pop(self._request, None)
            if executor is not None:
                executor.shutdown(wait=False)


@asynccontextmanager
async def own_connections() -> AsyncGenerator[None]:
    """Give the sync code under an async one on the library's loop a thread of its own, and close its connections."""
    waiting = getattr(AsyncToSync.executors, "current", None)
    AsyncToSync.executors.current = None
    own = ThreadSensitiveContext()
    async with own:
        try:
            yield
        finally:
            if own in SyncToAsync.context_to_thread_executor:  # else it had no sync code, and has no thread
                await sync_to_async(connections.close_all, thread_sensitive=True)()
            AsyncToSync.executors.current = waiting


def _carried() -> Callable[[], None]:
    """Return a function that sets, in the source's thread, what Django keeps for the present one.

    asgiref hides its locals from a thread to which it has not brought them itself.
    """
    language, zone = translation.get_language(), timezone.get_current_timezone()
    urlconf, prefix = get_urlconf(), get_script_prefix()

    def enter() -> None:
        if language:
            translation.activate(language)
        else:
            translation.deactivate_all()
        timezone.activate(zone)
        set_urlconf(urlconf)
        set_script_prefix(prefix)

    return enter
