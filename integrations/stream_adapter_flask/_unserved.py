"""Streams that a request made and did not send: replaced in after_request, or forgotten when something was raised.

Whatever response is sent instead closes them when it is closed itself, for it may be made of one of them. If none is,
because the exception goes to a debugger or a test, they are closed with the request.
"""

from __future__ import annotations

from typing import Any, Protocol

from flask import Flask, Response, request, request_finished, request_tearing_down

__all__ = ["unwatch", "watch"]

_KEY = "stream_adapter_flask.unserved"


class _Closable(Protocol):
    def close(self) -> None: ...


def watch(stream: _Closable) -> None:
    """Have `stream` closed even if nobody serves it."""
    request_finished.connect(_hand_over)  # connecting again changes nothing
    request_tearing_down.connect(_close_all)
    request.environ.setdefault(_KEY, []).append(stream)


def unwatch(stream: _Closable) -> None:
    """Leave it to the server to close `stream`, which may be after the request."""
    streams: list[_Closable] = request.environ.get(_KEY, [])
    request.environ[_KEY] = [other for other in streams if other is not stream]


def _hand_over(_: Flask, response: Response, **_signal: Any) -> None:
    streams: list[_Closable] = request.environ.get(_KEY, [])
    request.environ[_KEY] = [stream for stream in streams if stream is response]
    for stream in streams:
        if stream is not response:
            response.call_on_close(stream.close)


def _close_all(_: Flask, **_signal: Any) -> None:
    for stream in request.environ.pop(_KEY, ()):
        stream.close()  # which does nothing to one that was served: its request is torn down last
