"""The watcher: looks at the clients of WSGI streams while their server is busy with them, or the source is silent.

Who owns what: a `Client` belongs to its stream, and only the watcher's thread uses it. A stream is added and discarded
in the thread that serves it; the watcher calls its `look` four times per second.
"""

from __future__ import annotations

import logging
import time
from typing import Protocol

from ._connection import Sample
from ._log import log_stream
from ._pump.supervisor import Supervisor
from ._tcp import Peer
from .types import Reason

__all__ = ["Client", "Watched", "watcher"]

_NAME = "client watcher"
_INTERVAL = 0.25  # seconds between two looks at a client
_IDLE_LOOKS = 20  # looks without a stream after which the thread ends
_HALF_CLOSED_GRACE = 3.0  # seconds of silence after which a client that sent a FIN counts as disconnected


class Client:
    """The recent activity of one client. Pure: the time is an argument.

    A FIN is not a disconnect: the client may have shut down only its write side, which does not "imply that the client
    is no longer interested in a response" (RFC 9112, 9.6). Sending shows the difference: a closed client answers by
    RST, a reading one acknowledges. While nothing is sent it is unknown, and a FIN that is not followed by anything for
    `_HALF_CLOSED_GRACE` counts as a disconnect. (nginx, uvicorn and hypercorn treat any FIN as one, at once.)

    Args:
        now: when it is watched first.
    """

    __slots__ = ("_mark", "_progress_at", "_quiet_since")

    def __init__(self, now: float) -> None:
        self._mark: int | None = None
        self._progress_at = now  # when it last received something, or nothing was to be sent
        self._quiet_since = now  # since when it has been HALF_CLOSED and nothing was sent

    def verdict(self, sample: Sample, send_timeout: float | None, now: float) -> Reason | None:
        """Return why its stream must end; None if it need not."""
        if sample.peer is Peer.CLOSED:
            return "disconnect"
        has_received = sample.mark != self._mark
        self._mark = sample.mark
        if has_received or not sample.has_unsent:
            self._progress_at = now
        if has_received or sample.has_unsent or sample.peer is Peer.OPEN:
            self._quiet_since = now
        if now - self._quiet_since >= _HALF_CLOSED_GRACE:
            return "disconnect"
        return "send_timeout" if send_timeout is not None and now - self._progress_at >= send_timeout else None


class Watched(Protocol):
    """A stream, as the watcher sees it."""

    def look(self, now: float) -> None:
        """Look at the client, and end the stream if necessary. Called in the watcher's thread; it does not block."""
        ...


def _look(streams: list[Watched]) -> None:
    now = time.monotonic()
    for stream in streams:
        try:
            stream.look(now)
        except Exception as error:  # noqa: BLE001  # the other streams are to be looked at
            log_stream(logging.ERROR, _NAME, "a look at a client failed", "it is looked at again", error=error)


def _warn(error: RuntimeError) -> None:
    log_stream(logging.WARNING, _NAME, "no thread can be started", "a client that stalls keeps its thread", error=error)


watcher: Supervisor[Watched] = Supervisor(
    "stream_adapter.watcher", _look, interval=_INTERVAL, idle_looks=_IDLE_LOOKS, on_start_failure=_warn
)
