"""The send watchdog: whether a client receives what it is sent. A slow client is still connected.

A server's `send` returns when its own buffer has room again, and before that when the kernel's has: some megabytes, of
which the kernel reports room only once a third is free. A client that reads 4 KB a second keeps `send` waiting for
minutes. So it is not the time of `send` that counts but the bytes that the client's side acknowledges: the kernel
counts them for each connection, and the scope has the client's address, with which the process finds the socket. It
searches for it only after a `send` has waited for long.

Without the socket only the time is known: on a Unix socket, on another system than Linux, and where the address may be
from a field of the request, such as `X-Forwarded-For`. What was sent may then be in the kernel, so the limit is longer:
a client that reads 4 KB per second must have time, with the default of 60 s, to read half of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from stream_adapter._body import AsyncBody

from .client_sockets import Address, acknowledged_by

__all__ = ["SendWatch"]

_LOOKS = 4  # in one timeout
_INTERVAL = 1.0  # seconds between looks, without a timeout
_KERNEL = 4 * 1024 * 1024  # bytes that a send buffer grows to (tcp_wmem)
_LEAST = 4096 * 60  # bytes that a client reads within one timeout, at least


class SendWatch:
    """Watches one client, on one loop. The sender calls `begin_send`, `end_send`, and `close` at the end.

    There is a timer only where something is sent: thousands of streams may be silent.

    Args:
        client: its address, as in the scope; None if unknown.
        limit: `send_timeout`, seconds without progress; None for any.
        on_stalled: called when it has passed, once.
        deadline: the time of the loop when `total_timeout` passes, also while a `send` waits; None for never.
        on_deadline: called then, once.
        on_idle: called when nothing has been sent for a while: the watch may be dropped.
    """

    __slots__ = (
        "_acknowledged",
        "_client",
        "_deadline",
        "_limit",
        "_loop",
        "_on_deadline",
        "_on_idle",
        "_on_stalled",
        "_progress_at",
        "_sent_bytes",
        "_since",
        "_timer",
    )

    def __init__(
        self,
        client: Address | None,
        limit: float | None,
        on_stalled: Callable[[], object],
        deadline: float | None = None,
        on_deadline: Callable[[], object] = int,
        *,
        on_idle: Callable[[], object] = int,
    ) -> None:
        self._client = client
        self._limit = limit
        self._on_stalled = on_stalled
        self._deadline = deadline
        self._on_deadline = on_deadline
        self._on_idle = on_idle
        self._loop = asyncio.get_running_loop()
        self._acknowledged: int | None = None
        self._progress_at = 0.0
        self._since: float | None = None  # when the `send` that waits now began
        self._sent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, body: AsyncBody, on_idle: Callable[[], object] = int) -> SendWatch | None:
        """Return a watch for the client of a body that has started; None without a limit."""
        limit, left = body.send_timeout, body.seconds_left
        if limit is None and left is None:
            return None
        on_stalled = partial(body.interrupt, "send_timeout")
        if left is None:
            return cls(body.client, limit, on_stalled, on_idle=on_idle)
        deadline = asyncio.get_running_loop().time() + left
        return cls(body.client, limit, on_stalled, deadline, partial(body.interrupt, "total_timeout"), on_idle=on_idle)

    def begin_send(self, size: int) -> None:
        """Record that a `send` of `size` bytes begins."""
        now = self._since = self._loop.time()
        self._sent_bytes += size
        if self._timer is None:
            self._timer = self._look_again(now)

    def end_send(self) -> None:
        """Record that the `send` has returned."""
        self._since = None

    def close(self) -> None:
        """End the watch."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def timer(self) -> asyncio.TimerHandle:
        """The timer of the next look, which `close` cancels."""
        return self._timer or asyncio.TimerHandle(0.0, int, (), self._loop)

    def _look(self) -> None:
        now, since = self._loop.time(), self._since
        self._timer = None
        if since is None:  # the next `send` sets a timer
            self._on_idle()
            return
        if self._deadline is not None and now >= self._deadline:
            self._on_deadline()
        elif self.is_stalled(since, now):
            self._on_stalled()
        else:
            self._timer = self._look_again(now)

    def _look_again(self, now: float) -> asyncio.TimerHandle:
        at = now + (self._limit or _INTERVAL * _LOOKS) / _LOOKS
        # after the deadline the stream ends itself, unless it is in `send`
        if self._deadline is not None and self._deadline > now:
            at = min(at, self._deadline)
        return self._loop.call_at(at, self._look)

    def is_stalled(self, since: float, now: float) -> bool:
        """Return True if a `send` that began at `since` has been without progress for too long."""
        waiting = now - since
        if self._limit is None or waiting < self._limit / _LOOKS:
            return False
        acknowledged = None if self._client is None else acknowledged_by(self._client)
        if acknowledged is None:
            return waiting >= self._limit * (1 + min(self._sent_bytes, _KERNEL) / 2 / _LEAST)
        if acknowledged != self._acknowledged:
            self._acknowledged, self._progress_at = acknowledged, now
        return now - self._progress_at >= self._limit
