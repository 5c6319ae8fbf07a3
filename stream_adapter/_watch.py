"""Who looks after clients while a WSGI server is busy with them, or a source is silent: one thread of the process.

Who owns what: a `Client` belongs to its stream, and only the watcher's thread uses it. A stream that is served in any
other thread is added and discarded there; the watcher asks `look` of each four times a second, and holds them weakly.
The thread is started by the first stream, and ends when there has been none for a while. A forked child has none.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Protocol
from weakref import WeakValueDictionary

from ._connection import Sample
from ._log import log_stream
from ._tcp import Peer
from .types import Reason

__all__ = ["Client", "Watched", "watcher"]

_NAME = "the watcher of clients"
_INTERVAL = 0.25  # seconds between two looks at a client
_IDLE_LOOKS = 20  # looks without a stream after which the thread ends
_FINISHED_GRACE = 3.0  # seconds of silence after which a client that sent a FIN is taken to have gone


class Client:
    """What one client has done lately. Pure: the time is an argument.

    A FIN does not mean that the client has gone: it may have shut down only its write side, which does not "imply that
    the client is no longer interested in a response" (RFC 9112, 9.6). What is sent to it tells: one that has closed
    answers by RST, one that reads acknowledges. While nothing is sent it cannot be known, and a FIN that nothing has
    followed for `_FINISHED_GRACE` is taken for the end. (nginx, uvicorn and hypercorn take any FIN for it, at once.)

    Args:
        now: the start.
    """

    __slots__ = ("_mark", "_progress_at", "_quiet_since")

    def __init__(self, now: float) -> None:
        self._mark: int | None = None
        self._progress_at = now  # when it last took something, or there was nothing to take
        self._quiet_since = now  # since when it has been FINISHED and nothing was sent

    def verdict(self, sample: Sample, send_timeout: float | None, now: float) -> Reason | None:
        """Return why its stream is to end; None if it is not."""
        if sample.peer is Peer.CLOSED:
            return "disconnect"
        has_taken = sample.mark != self._mark
        self._mark = sample.mark
        if has_taken or not sample.has_unsent:
            self._progress_at = now
        if has_taken or sample.has_unsent or sample.peer is Peer.OPEN:
            self._quiet_since = now
        if now - self._quiet_since >= _FINISHED_GRACE:
            return "disconnect"
        return "send_timeout" if send_timeout is not None and now - self._progress_at >= send_timeout else None


class Watched(Protocol):
    """A stream, to the watcher."""

    def look(self, now: float) -> None:
        """Look at the client, and end the stream if it is to end; in the watcher's thread. It does not block."""
        ...


class _Watcher:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all; in a forked child, the parent's streams and thread are the parent's."""
        self._streams: WeakValueDictionary[int, Watched] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._runs = False

    def add(self, stream: Watched) -> None:
        """Look at a stream's client from now on."""
        with self._lock:
            self._streams[id(stream)] = stream
            if self._runs:
                return
            self._runs = True
        try:
            threading.Thread(target=self._watch, name="stream_adapter.watcher", daemon=True).start()
        except (
            RuntimeError
        ) as error:  # the process has no more threads, or is about to end: a stream runs without being watched
            self._runs = False
            happened, then = "no thread can be started", "a client that stalls keeps its thread"
            log_stream(logging.WARNING, _NAME, happened, then, error=error)

    def discard(self, stream: Watched) -> None:
        """Look no more; one look may be under way."""
        self._streams.pop(id(stream), None)

    def _watch(self) -> None:
        idle_looks = 0
        while idle_looks < _IDLE_LOOKS or not self._is_over():
            time.sleep(_INTERVAL)
            idle_looks = 0 if self._look() else idle_looks + 1

    def _is_over(self) -> bool:
        with self._lock:
            self._runs = bool(self._streams)
        return not self._runs

    def _look(self) -> bool:
        """Look at each; return whether there was any. `valuerefs` is safe while other threads add and discard."""
        now = time.monotonic()
        references = self._streams.valuerefs()
        for reference in references:
            stream = reference()
            if stream is not None:
                try:
                    stream.look(now)
                except Exception as error:  # noqa: BLE001  # the others are to be looked at
                    log_stream(logging.ERROR, _NAME, "a look at a client failed", "it is looked at again", error=error)
        return bool(references)


watcher = _Watcher()
os.register_at_fork(after_in_child=watcher.reset)
