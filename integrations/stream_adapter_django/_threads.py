"""Which thread a source runs in, and what Django has there.

    sync source, WSGI     the request's thread; a thread of the pool if it has a keepalive or a deadline
    async source, WSGI    the library's loop, with a thread for its ORM calls that is its own
    sync source, ASGI     the thread that asgiref keeps for the request
    async source, ASGI    the server's loop, with that thread for its ORM calls

What asgiref keeps for a request belongs to a middleware, and a stream outlives that: see `stream_context`.

A connection is closed in the thread that opened it: by Django in the request's thread, by this package in all others.
One whose caller is inside `transaction.atomic()`, as in each test of a `TestCase`, is lent to the source's thread: a
stream sees what its caller sees, and does not wait for its locks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, TypeVar

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from stream_adapter.integration import Hooks, client_connection, current_loop

from ._compat import (
    SHARES_EXECUTORS,
    current_executor,
    forget_deadlock,
    main_loop,
    request_context,
    request_executor,
    set_current_executor,
    take_request_executor,
)

__all__ = [
    "Lent",
    "asgi_hooks",
    "in_transactions",
    "own_connections",
    "roll_back_request",
    "stream_context",
    "under_asgi",
    "when_request_ends",
    "wsgi_hooks",
]

T = TypeVar("T")

Lent: TypeAlias = Mapping[str, BaseDatabaseWrapper]
"""Connections by alias that a stream uses in place of its own."""


def wsgi_hooks(environ: dict[str, Any] | None) -> Hooks:
    """Return the hooks for WSGI; without the environ a disconnect is not noticed."""
    # in the request's own thread, what Django keeps is in the stream's context
    return Hooks(connection=None if environ is None else client_connection(environ), for_thread=_hooks_for_thread)


def _hooks_for_thread() -> Hooks:
    """Return the hooks of a source that another thread iterates. Call it in the request's."""
    lent, carried = in_transactions(), _carried()

    def enter() -> None:
        carried()
        if lent and current_loop() is None:  # an async source borrows in its thread for the ORM
            _borrow(lent)

    return Hooks(on_thread_exit=partial(_close_own, lent), async_context=partial(own_connections, lent), on_open=enter)


def asgi_hooks() -> Hooks:
    """Return the hooks for ASGI. Call it on the loop, in the stream's context."""
    thread = _RequestThread()
    return Hooks(submit=thread, on_open=thread.enter, prefetch=1, on_stuck=thread.leave)


class _RequestThread:
    """Submits jobs to the thread that asgiref keeps for the request: the first one on the loop, others in any thread.

    An async source submits none. It runs on the loop, where what Django keeps for the request is in its context.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()  # asgiref finds the thread by what it has stored here
        self._request = request_context()
        self._running: set[asyncio.Task[object]] = set()  # the loop itself holds its tasks weakly
        self._carried: Callable[[], object] | None = None

    def __call__(self, job: Callable[[], object]) -> None:
        if self._carried is None:
            self._carried = self._context.run(_carried)
        self._loop.call_soon_threadsafe(self._start, job, context=self._context)

    def _start(self, job: Callable[[], object]) -> None:
        task = self._loop.create_task(sync_to_async(job, thread_sensitive=True)())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def enter(self) -> None:
        """Set, in the thread of a sync source, what Django keeps for the request."""
        if self._carried is not None:
            self._carried()

    def leave(self) -> None:
        """End the request without its thread: asgiref would wait for the thread, older versions of it on the loop."""
        executor = None if self._request is None else take_request_executor(self._request)
        if executor is not None:
            executor.shutdown(wait=False)


def in_transactions() -> Lent:
    """Return the connections of this thread that are inside an atomic block."""
    opened = connections.all(initialized_only=True)
    return {connection.alias: connection for connection in opened if connection.in_atomic_block}


def roll_back_request() -> None:
    """Roll back the transaction of ATOMIC_REQUESTS, for an exception that does not reach Django."""
    for connection in in_transactions().values():
        if connection.settings_dict["ATOMIC_REQUESTS"]:
            connection.set_rollback(True)


def _borrow(lent: Lent) -> None:
    """Use the caller's connections in this thread, as Django's LiveServerThread does. The caller waits for this one."""
    for alias, connection in lent.items():
        connection.inc_thread_sharing()
        connections[alias] = connection


def _close_own(lent: Lent) -> None:
    """Give the caller's connections back, and close those of this thread."""
    for alias, connection in lent.items():
        del connections[alias]
        connection.dec_thread_sharing()
    connections.close_all()


@asynccontextmanager
async def own_connections(lent: Lent | None = None) -> AsyncGenerator[None]:
    """Give the sync code under an async one on the library's loop a thread of its own, and close its connections.

    Args:
        lent: connections of the caller that it uses in place of its own.
    """
    lent = lent or {}
    open_thread = _shared_thread if SHARES_EXECUTORS else _thread_of_context
    async with open_thread() as is_used:
        if lent:
            await sync_to_async(_borrow, thread_sensitive=True)(lent)
        try:
            yield
        finally:
            if is_used():
                await sync_to_async(_close_own, thread_sensitive=True)(lent)


@asynccontextmanager
async def _shared_thread() -> AsyncGenerator[Callable[[], bool]]:
    """Open a thread by asgiref's public way; yield a function that returns True if the thread was needed."""
    thread = _NotingExecutor(max_workers=1)
    try:
        async with ThreadSensitiveContext(executor=thread):
            yield lambda: thread.is_used
    finally:
        thread.shutdown(wait=False)


class _NotingExecutor(ThreadPoolExecutor):
    is_used = False

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.is_used = True
        return super().submit(*args, **kwargs)


@asynccontextmanager
async def _thread_of_context() -> AsyncGenerator[Callable[[], bool]]:
    """Open a thread where asgiref takes no executor, before 3.13: the one that it opens for a context by itself."""
    waiting = current_executor()
    set_current_executor(None)
    context = ThreadSensitiveContext()
    try:
        async with context:
            yield lambda: request_executor(context) is not None
    finally:
        set_current_executor(waiting)


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


def under_asgi() -> bool:
    """Return True on the loop of an ASGI request, or in a thread in which asgiref runs sync code for one."""
    loop = current_loop() or main_loop()
    return loop is not None and loop.is_running()


def when_request_ends(callback: Callable[[], object]) -> None:
    """Call `callback` when the task that serves the ASGI request ends: a response may have been dropped by then.

    Under a sync middleware this is another task, which ends with the view; and without Django's ASGI handler (which
    gives each request a thread) it is a test's.
    """
    task = asyncio.current_task()
    if task is None or current_executor():
        return
    if request_context() is not None:
        task.add_done_callback(lambda _: callback())


def stream_context(make: Callable[[], T]) -> T:
    """Call `make` in a copy of this context that stays usable after the middleware, and its threads, have ended."""
    return copy_context().run(_made_lasting, make)


def _made_lasting(make: Callable[[], T]) -> T:
    forget_deadlock()
    executor = current_executor()
    if executor is not None:
        set_current_executor(_ExecutorOfWaiting(executor))
    return make()


class _ExecutorOfWaiting:
    """A sync middleware's executor; asgiref uses it only as long as that middleware waits for its view.

    While it does, sync code must run in its thread, which is blocked. Afterwards asgiref would go on to submit to it,
    and fail because it "already quit"; false, it makes asgiref look for the request's thread.
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
