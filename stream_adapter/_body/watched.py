"""A body whose client is watched while the server sends, or the source is silent (`_watch`)."""

from __future__ import annotations

import time

from stream_adapter._headers import content_length
from stream_adapter._watch import Client, watcher
from stream_adapter.types import Reason

from .base import Body

__all__ = ["WatchedBody"]


class WatchedBody(Body):
    """A body that can look at its client's connection, and abort it. `SyncBody` sets the attribute."""

    __slots__ = ("_client",)

    _client: Client | None  # the watcher's record of the client

    @property
    def _is_sent(self) -> bool:
        raise NotImplementedError

    def end(self, reason: Reason) -> None:
        """End the stream with this reason, from any thread."""
        raise NotImplementedError

    def _abort(self, grace: float) -> None:
        connection = self._hooks.connection
        if connection is not None:
            framed = connection.chunks or content_length(self.headers) is not None
            connection.abort(framed=framed, grace=grace)

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
        self.end(reason)
        if reason == "send_timeout" or self.file is not None:
            connection.reset()

    def _is_overdue(self) -> bool:
        """Return True if `total_timeout` has passed while the server sends; the consumer checks it in the source."""
        left = self.seconds_left
        return left is not None and left <= 0 and (self._is_sent or self.file is not None)

    def _give_back_connection(self) -> None:
        if self._client is not None:
            watcher.discard(self)
        if self._hooks.connection is not None:
            self._hooks.connection.release()
