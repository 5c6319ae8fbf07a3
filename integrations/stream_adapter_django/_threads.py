"""Which thread a source runs in, and what asgiref keeps for it there.

    sync source, WSGI     the request's thread; a thread of the pool if it has a keepalive or a deadline
    async source, WSGI    the library's loop, with a thread for its ORM calls that is its own
    sync source, ASGI     the thread that asgiref keeps for the request
    async source, ASGI    the server's loop, with that thread for its ORM calls

A stream outlives the middleware, and asgiref's state is made for what does not: `stream_context` mends that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from stream_adapter.integration import Host, disconnect_probe

__all__ = ["asgi_host", "own_connections", "stream_context", "under_asgi", "when_request_ends", "wsgi_host"]

T = TypeVar("T")


def wsgi_host(environ: dict[str, Any] | None) -> Host:
    """Return what Django brings under WSGI; without the environ nobody sees a client go."""
    return Host(
        thread_exit=connections.close_all,
        around=own_connections,
        enter=_carried(),
        gone=None if environ is None else disconnect_probe(environ),
    )


def asgi_host() -> Host:
    """Return what Django brings under ASGI. Call it on the loop, in the stream's context."""
    return Host(submit=_RequestThread(), enter=_carried(), rests=True)


def under_asgi() -> bool:
    """Say whether this is the loop of an ASGI request, or a thread in which asgiref runs sync code for one."""
    loop: asyncio.AbstractEventLoop | None
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    return loop is not None and loop.is_running()


def when_request_ends(callback: Callable[[], object]) -> None:
    """Call it when the task that serves the ASGI request ends, which is how a dropped response can be noticed.

    Under a sync middleware this is another task, which ends with the view; and without Django's ASGI handler (which
    gives each request a thread) it is a test's.
    """
    task = asyncio.current_task()
    if task is None or getattr(AsyncToSync.executors, "current", None):
        return
    if SyncToAsync.thread_sensitive_context.get(None) is not None:
        task.add_done_callback(lambda _: callback())


def stream_context(make: Callable[[], T]) -> T:
    """Call `make` in a copy of this context that still serves when the middleware, and its threads, have gone on."""
    return copy_context().run(_made_lasting, make)


def _made_lasting(make: Callable[[], T]) -> T:
    SyncToAsync.deadlock_context.set(False)  # a caller's, which will not be waiting any more
    executor = getattr(AsyncToSync.executors, "current", None)
    if executor is not None:
        AsyncToSync.executors.current = _WhileItWaits(executor)
    return make()


class _WhileItWaits:
    """A sync middleware's executor, which counts for asgiref only as long as that middleware waits for its view.

    While it does, sync code must run in its thread, which is blocked. Afterwards asgiref would go on to submit to it,
    and be told that it "already quit"; false, it makes asgiref look for the request's thread.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    def __bool__(self) -> bool:
        try:
            self._executor.submit(_nothing)
        except RuntimeError:
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)


def _nothing() -> None:
    pass


class _RequestThread:
    """Submits jobs to the thread that asgiref keeps for the request, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()  # asgiref finds the thread by what it has stored here
        self._running: set[asyncio.Task[object]] = set()  # the loop itself holds its tasks weakly

    def __call__(self, job: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(self._start, job, context=self._context)

    def _start(self, job: Callable[[], object]) -> None:
        task = self._loop.create_task(sync_to_async(job, thread_sensitive=True)())
        self._running.add(task)
        task.add_done_callback(self._running.discard)


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
