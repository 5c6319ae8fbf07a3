"""The request context of a stream: alive until the source is closed, torn down once, and then.

The stream runs in a copy of the request's context variables, so `request`, `session` and `g` are there for it. Flask's
own context object is pushed once more beside it, in the request thread and never inside the copy: it resets its
variables where they were set. As with Flask's own `stream_with_context`, a thread that has several streams open at a
time, as a test may, closes the last one first.
"""

from __future__ import annotations

import inspect
import logging

from flask import stream_with_context
from flask.globals import request_ctx

__all__ = ["HeldContext", "without_own_context"]

logger = logging.getLogger("stream_adapter")


class HeldContext:
    """The request context, kept from being torn down when the view has returned. Enter and leave it in one thread."""

    def __init__(self) -> None:
        self._pop = request_ctx.pop  # of the context itself: the proxy will mean another one by then
        self._session = request_ctx.session
        self._modified = self._session.modified
        request_ctx.push()

    def release(self, error: BaseException | None) -> None:
        """Let it be torn down.

        Args:
            error: what ended the stream, for the teardown functions; None if nothing did.
        """
        if self._session.modified and not self._modified:
            logger.debug(
                "the session was modified after the first item, when its cookie had been sent; it is not saved"
            )
        self._pop(error)


def without_own_context(content: object) -> object:
    """Return the source inside a `stream_with_context`, which would push the request context into the stream's copy."""
    if inspect.isgenerator(content) and content.gi_code in stream_with_context.__code__.co_consts:
        source: object = inspect.getgeneratorlocals(content)["gen"]
        content.close()  # it was never asked for an item, so this leaves the source as it is
        return source
    return content
