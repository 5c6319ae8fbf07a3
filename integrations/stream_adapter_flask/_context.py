"""The request context of a stream: alive until the source is closed, torn down once, and then.

The stream runs in a copy of the request's context variables, so `request`, `session` and `g` are there for it. Flask's
own context object is pushed once more beside it, in the request thread and never inside the copy: it resets its
variables where they were set. As with Flask's own `stream_with_context`, a thread that has several streams open at a
time, as a test may, closes the last one first.
"""

from __future__ import annotations

import logging
from urllib.parse import quote

from ._compat import current_context, session_of

__all__ = ["HeldContext"]

logger = logging.getLogger("stream_adapter")


class HeldContext:
    """The request context, kept from being torn down when the view has returned. Enter and leave it in one thread."""

    def __init__(self) -> None:
        context = current_context()
        self._stream = f"{context.request.method} {quote(context.request.path)}"
        self._pop = context.pop
        self._session = session_of(context)
        self._modified = self._session.modified
        context.push()

    def release(self, error: BaseException | None) -> None:
        """Let it be torn down.

        Args:
            error: what ended the stream, for the teardown functions; None if nothing did.
        """
        if self._session.modified and not self._modified:
            logger.debug("%s: the session was modified after the first item; it is not saved", self._stream)
        self._pop(error)
