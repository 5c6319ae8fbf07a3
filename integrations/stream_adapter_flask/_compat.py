"""Every undocumented or moving name of Flask that this package uses, and the versions it was read at.

Read at Flask 3.0.3, 3.1.3 and 3.2.0.dev (April 2026). What moved in 3.2:

    the request context    merged into the application context: `request_ctx` is `app_ctx` from then on
    the app's own methods  `dispatch_request`, `handle_user_exception`, `handle_exception` and `finalize_request` take
                           that context as their first argument
    stream_with_context    pushes the context when it is called, rather than when its first item is asked for
"""

from __future__ import annotations

import inspect
from typing import Any

from flask import Flask, Response, globals, stream_with_context  # noqa: A004  # the module's own name

__all__ = ["answer_exception", "current_context", "inner_generator", "push_again", "session_of"]

_MERGED = "ctx" in inspect.signature(Flask.finalize_request).parameters
_PROXY: Any = globals.app_ctx if _MERGED else globals.request_ctx


def current_context() -> Any:
    """Return the context object of the current request, which has `push`, `pop` and `session`.

    Raises:
        RuntimeError: called outside a request.
    """
    return _PROXY._get_current_object()  # noqa: SLF001  # Werkzeug documents it, for this use


def push_again(context: Any) -> None:
    """Push a context that is pushed already. Its request was matched to a route then, and is not matched again."""
    adapter, context.url_adapter = context.url_adapter, None
    try:
        context.push()
    finally:
        context.url_adapter = adapter


def session_of(context: Any) -> Any:
    """Return the session of a context, without marking it as accessed where that can be avoided."""
    return context._session if _MERGED else context.session  # noqa: SLF001  # `session` would add `Vary: Cookie`


def answer_exception(app: Flask, error: Exception) -> Response:
    """Return the app's response to an exception, as to one that a view raises: by its error handlers, or a 500."""
    methods: Any = app
    context = (current_context(),) if _MERGED else ()
    try:
        answer: Response = methods.finalize_request(*context, methods.handle_user_exception(*context, error))
    except Exception as unhandled:  # noqa: BLE001  # an exception that a handler raises is an internal server error
        answer = methods.handle_exception(*context, unhandled)
    return answer


def inner_generator(content: object) -> object:
    """Return the generator inside a `stream_with_context`; anything else as it is.

    `stream_with_context` would push the request context into the stream's copy of the context variables, and Flask
    refuses to pop it from there. The wrapper is recognized by its code, which is compiled into `stream_with_context`.
    """
    if not inspect.isgenerator(content) or content.gi_code not in stream_with_context.__code__.co_consts:
        return content
    source: object = inspect.getgeneratorlocals(content).get("gen", content)
    if source is not content:
        content.close()  # no item was asked for, so this leaves the inner generator as it is
    return source
