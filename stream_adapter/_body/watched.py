"""A body that other threads end: a drain, or the watcher of its client while the server sends or the source waits."""

from __future__ import annotations

import inspect
import time
from collections.abc import Generator

from stream_adapter._headers import content_length
from stream_adapter._pump import SourceThread
from stream_adapter._watch import Client, watcher
from stream_adapter.errors import ClientDisconnected
from stream_adapter.types import Reason

from .base import Body

__all__ = ["WatchedBody"]


class WatchedBody(Body):
    """A body that is ended from outside its thread, and looks at its client. `SyncBody` sets the attributes."""

    __slots__ = ("_client", "_end_unlogged", "_generator", "_thread")

    _client: Client | None  # the watcher's record of the client
    _end_unlogged: bool  # whether it was ended, which `close` is to log
    _generator: Generator[bytes] | None  # what the server iterates
    _thread: SourceThread | None  # where the source waits, if it is the server's

    def end(self, reason: Reason) -> None:
        """End the stream with this reason, from any thread; a source inside `next()` returns from it first."""
        if self._reason is None:
            self._end_for(reason)
        self.interruption.set(reason)
        thread = self._thread
        if thread is not None:
            thread.interrupt()
        if self._is_sent:
            self._abort(0)

    @property
    def _is_sent(self) -> bool:
        """Whether the server has a block, and may wait long for its client to receive it."""
        generator = self._generator
        return generator is not None and inspect.getgeneratorstate(generator) == inspect.GEN_SUSPENDED

    def _end_for(self, reason: Reason) -> None:
        self._reason, self._end_unlogged = reason, True  # `close` logs it: an iteration counts to its end

    def _abort(self, grace: float) -> None:
        connection = self._hooks.connection
        if connection is not None:
            framed = connection.chunks or content_length(self.headers) is not None
            connection.abort(framed=framed, grace=grace)

    def _needs_no_error(self, error: BaseException) -> bool:
        """Return True if the iteration may just end: the connection was broken, for a departure, a stall or a drain.

        The server would log nothing, but error reporters around the application take any exception for a failure.
        """
        connection = self._hooks.connection
        can_abort = connection is not None and connection.can_abort
        return can_abort and isinstance(error, ClientDisconnected) and self.length is None

    def watch(self) -> None:
        """Watch the client until the body is closed, if the server exposes its connection."""
        connection = self._hooks.connection
        if connection is not None and connection.is_watched and self._client is None:
            self._client = Client(time.monotonic())
            watcher.add(self)

    def look(self, now: float) -> None:
        """End the stream of a client that has disconnected, or reads too slowly; in the watcher's thread."""
        client, connection = self._client, self._hooks.connection
        if client is None or connection is None:
            return
        reason = client.verdict(connection.sample(), self.send_timeout, now)
        if reason is None and self._is_overdue():
            reason = "total_timeout"
        if reason is None or self._done:
            return
        if reason == "send_timeout" or self.file is not None:
            # before `end` shuts it down: after that, a read that follows the failed `send` would raise, too, and
            # Werkzeug, which reads what is left of the request, would not close the body
            if self._reason is None:
                self._end_for(reason)
            connection.reset()
        self.end(reason)

    def _is_overdue(self) -> bool:
        """Return True if `total_timeout` has passed while the server sends; the consumer checks it in the source."""
        left = self.seconds_left
        return left is not None and left <= 0 and (self._is_sent or self.file is not None)

    def _give_back_connection(self) -> None:
        if self._client is not None:
            watcher.discard(self)
        if self._hooks.connection is not None:
            self._hooks.connection.release()
