"""What a stream needs of its request: the context until the source is closed, and a close if no server takes it.

The stream runs in a copy of the request's context variables, so `request`, `session` and `g` are there for it. Flask's
own context object is pushed once more, in the request thread and never inside the copy: it resets its variables where
they were set. As with Flask's own `stream_with_context`, a thread that has several streams open at a time, as a test
may, closes the last one first.

A stream that the request made and did not send was replaced in after_request, or an exception was raised after it. The
response that is sent in its place closes it when it is closed itself, because it may be made of it. If no response is
sent, because the exception goes to a debugger or a test, the stream is closed with the request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol
from urllib.parse import quote

from flask import Flask, Request, Response, request, request_finished

from stream_adapter.integration import RequestHead

from ._compat import current_context, push_again, session_of

__all__ = ["HeldContext", "close_with_request", "last_event_id", "leave_to_server"]

logger = logging.getLogger("stream_adapter")

_KEY = "stream_adapter_flask.unclaimed"


class HeldContext:
    """The request context, kept from being torn down when the view has returned. Enter and leave it in one thread."""

    def __init__(self) -> None:
        context = self._context = current_context()
        self._session = session_of(context)
        self._modified = self._session.modified
        push_again(context)

    def release(self, error: BaseException | None) -> None:
        """Allow the context to be torn down.

        Args:
            error: what ended the stream, for the teardown functions; None if nothing did.
        """
        if self._session.modified and not self._modified:
            request = self._context.request
            stream = f"{request.method} {quote(request.path)}"
            logger.debug("%s: the session was modified after the first item; it is not saved", stream)
        self._context.pop(error)


class _Closable(Protocol):
    def close(self) -> None: ...


def close_with_request(stream: _Closable, request: Request) -> None:
    """Close `stream` at the end of this request, unless a server takes it."""
    streams: list[_Closable] | None = request.environ.get(_KEY)
    if streams is None:
        _listen()
        streams = request.environ[_KEY] = []
        _call_at_close(request, partial(_close_unclaimed, request.environ))
    streams.append(stream)


def _call_at_close(request: Request, callback: Callable[[], object]) -> None:
    """Call `callback` when Flask closes a request. A receiver of `request_tearing_down` would be called for all."""

    def close() -> None:
        del vars(request)["close"]
        callback()
        request.close()

    vars(request)["close"] = close


@cache
def _listen() -> None:
    request_finished.connect(_pass_to_sent)


def leave_to_server(stream: _Closable) -> None:
    """Leave it to the server to close `stream`, which may be after the request."""
    environ = request.environ
    environ[_KEY] = [other for other in environ.get(_KEY, []) if other is not stream]


def _pass_to_sent(_: Flask, response: Response, **_signal: Any) -> None:
    """Close the streams that are not sent with the response that is."""
    environ = request.environ
    streams: list[_Closable] = environ.get(_KEY, [])
    if not streams:
        return
    environ[_KEY] = [stream for stream in streams if stream is response]
    for stream in streams:
        if stream is not response:
            response.call_on_close(stream.close)


def _close_unclaimed(environ: dict[str, Any]) -> None:
    for stream in environ.pop(_KEY, ()):
        stream.close()  # does nothing to a stream that was sent: its request is torn down last


def last_event_id() -> str | None:
    """Return the id of the last event that the client of this request has seen; None if it resumes nothing.

    It is that of the Last-Event-ID header, or else of the query parameter `last_event_id` (WHATWG HTML, 9.2.4).
    """
    return RequestHead.from_environ(request.environ).last_event_id
