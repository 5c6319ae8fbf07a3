"""Every undocumented name of Django, its REST framework and asgiref that this package needs.

They may change with any release, and no other module here uses one. They were read at Django 5.2 and 6.1, and at
asgiref 3.9.2 and 3.13. An import that finds a name missing says which versions are supported and which are installed.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import asgiref
import django
from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext
from django.core.handlers.base import BaseHandler
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders
from django.middleware import gzip
from django.utils import text

__all__ = [
    "SHARES_EXECUTORS",
    "BaseHandler",
    "ask_for_views",
    "compresses",
    "content_of",
    "current_executor",
    "fields_of",
    "forget_deadlock",
    "main_loop",
    "replace_content",
    "request_context",
    "request_executor",
    "set_content",
    "set_current_executor",
    "take_request_executor",
    "wrapped_request",
]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())


_SUPPORTED = "Django 5.2 to 6.1 with asgiref 3.9.2 or newer"

try:
    _executors = AsyncToSync.executors
    _thread = SyncToAsync.threadlocal
    _contexts = SyncToAsync.thread_sensitive_context
    _deadlock = SyncToAsync.deadlock_context
    _context_executors: Any = SyncToAsync.context_to_thread_executor
    BaseHandler.make_view_atomic  # noqa: B018  # looked at, so that its absence is noticed here
    ResponseHeaders({})._store  # noqa: B018, SLF001  # the same
    set_content: Callable[[StreamingHttpResponse, Any], None] = StreamingHttpResponse._set_streaming_content  # type: ignore[attr-defined]  # django-stubs leaves it out  # noqa: SLF001  # this is the module for such names
    if django.VERSION < (5, 2) or _number(asgiref.__version__) < (3, 9, 2):
        raise AttributeError("which is older")  # noqa: TRY301  # reported below, with both versions
except AttributeError as error:
    raise ImportError(
        f"stream_adapter_django: expected {_SUPPORTED}, got Django {django.__version__} with asgiref"
        f" {asgiref.__version__} ({error})"
    ) from error

SHARES_EXECUTORS = "executor" in inspect.signature(ThreadSensitiveContext).parameters  # asgiref 3.13 and newer


def main_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that waits for the sync code of this thread; None outside asgiref's threads."""
    loop: asyncio.AbstractEventLoop | None = getattr(_thread, "main_event_loop", None)
    return loop


def current_executor() -> Any:
    """Return the executor of the sync code that waits for this async code, in whose thread sync code must run."""
    return getattr(_executors, "current", None)


def set_current_executor(executor: Any) -> None:
    """Replace it, in this context."""
    _executors.current = executor


def request_context() -> ThreadSensitiveContext | None:
    """Return the object with which asgiref finds the thread of an ASGI request; there is one per request."""
    return _contexts.get(None)


def request_executor(context: ThreadSensitiveContext) -> Executor | None:
    """Return the thread of a request; None if it has needed none."""
    executor: Executor | None = _context_executors.get(context)
    return executor


def take_request_executor(context: ThreadSensitiveContext) -> Executor | None:
    """Return it, and make asgiref forget it, so that the end of the request does not wait for it."""
    executor: Executor | None = _context_executors.pop(context, None)
    return executor


def forget_deadlock() -> None:
    """Clear asgiref's note that a caller waits for this context: a stream outlives its caller."""
    _deadlock.set(False)


def content_of(response: StreamingHttpResponse) -> Any:
    """Return the iterator that `streaming_content` was last set to."""
    return response._iterator  # type: ignore[attr-defined]  # django-stubs leaves it out  # noqa: SLF001  # see above


def replace_content(response: StreamingHttpResponse, content: Any) -> None:
    """Set that iterator as it is, and leave what Django closes with the response as it is."""
    response._iterator = content  # type: ignore[attr-defined]  # django-stubs leaves it out  # noqa: SLF001  # see above


def fields_of(response: HttpResponseBase) -> dict[str, tuple[str, str]]:
    """Return the header fields of a response, by their names in lower case: the dict that it stores them in."""
    fields: dict[str, tuple[str, str]] = response.headers._store  # noqa: SLF001  # see above
    return fields


def wrapped_request(request: object) -> object:
    """Return Django's request inside that of Django REST framework; None for another object."""
    return getattr(request, "_request", None)


def compresses(content: object) -> bool:
    """Return True if `content` is a generator of Django's gzip compression, sync or async."""
    frame = getattr(content, "gi_frame", None) or getattr(content, "ag_frame", None)
    return frame is not None and frame.f_globals in (vars(gzip), vars(text))


def ask_for_views(adapter_of_request: Callable[[], Callable[[Any], Any] | None]) -> None:
    """Make Django's handlers ask, as they are about to call a view, what is to be called in its place.

    `make_view_atomic` is that moment: the view was resolved, CSRF and the other `process_view` have seen it, and
    ATOMIC_REQUESTS still goes around what is returned here. Nothing else shows what is called: `resolve(…).func`,
    `resolver_match` and Django's errors have the view itself. Calling this a second time changes nothing.

    Args:
        adapter_of_request: returns what adapts a view of the present request; None for nothing.
    """
    global _asks  # noqa: PLW0603  # one method of one class, for the process
    if _asks:
        return
    _asks = True
    inner = BaseHandler.make_view_atomic  # as others, such as a tracer, may have wrapped it

    @functools.wraps(inner)
    def make_view_atomic(handler: BaseHandler, view: Callable[..., Any]) -> Any:
        adapt = adapter_of_request()
        return inner(handler, view if adapt is None else adapt(view))

    BaseHandler.make_view_atomic = make_view_atomic  # type: ignore[method-assign, assignment]  # see the docstring


_asks = False
