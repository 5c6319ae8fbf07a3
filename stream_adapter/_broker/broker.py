"""The broker: publish from anywhere, subscribe in any worker."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, Literal, Self

from stream_adapter._lifecycle import close_at_exit
from stream_adapter.engines import Engine, History, engine_of
from stream_adapter.errors import BrokerUnavailableError

from ._hub import Hub
from ._publish_methods import PublishMethods
from ._relay import Relay
from ._run_methods import RunMethods
from ._runs import Registry
from ._stats import BrokerStats
from ._subscription import Subscription, options_of

__all__ = ["Broker", "BrokerStats"]

_ENGINE_METHODS = ("bind", "append_many", "read", "positions", "watch", "unwatch", "close")
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_TIMEOUT = 86400.0  # seconds: what waits for the store counts in milliseconds


class Broker(PublishMethods, RunMethods):
    """Channels of events that reach every listener of every worker, in one order, and no event is lost without notice.

    It connects when it is first used, and again in a forked child. Close it by `close`, or as a context manager; it is
    closed at the exit of the process in any case, and `drain` ends its subscriptions.

    Args:
        url: where channels are: memory:// (this process), redis://, rediss://, valkey://, unix://, sqlite:///path.db,
            postgresql://, or an engine of your own (`stream_adapter.engines.Engine`).
        prefix: what the channels' names begin with in the engine: letters, digits, `_`, `-` and `.`.
        history: how much of each channel is kept for those who come back.
        publish_timeout: seconds that publishing may take.

    Raises:
        ValueError: an option has a value that is not allowed, or the URL names no engine.
        TypeError: an option is of the wrong type.
        ImportError: the engine's client library is not installed; the message names the extra.
    """

    def __init__(
        self,
        url: str | Engine = "memory://",
        *,
        prefix: str = "stream",
        history: History | None = None,
        publish_timeout: float = 2.0,
    ) -> None:
        if not isinstance(url, str) and not all(callable(getattr(url, name, None)) for name in _ENGINE_METHODS):
            raise TypeError(f"url: expected a URL or a stream_adapter.engines.Engine, got {type(url).__name__}")
        if isinstance(url, type):
            raise TypeError(f"url: expected an engine, got the class {url.__name__}; call it")
        self._prefix = _check_prefix(prefix)
        self._log_name = f"subscription of {self._prefix}"
        if history is not None and not isinstance(history, History):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"history: expected History(…), got {type(history).__name__}")
        _check_timeout(publish_timeout)
        self._history = history or History()
        self._timeout = publish_timeout
        self._engine: Engine = engine_of(url) if isinstance(url, str) else url
        self._relay = Relay()
        self._engine.bind(self._relay)
        self._is_closed = False
        self._changing_process = threading.Lock()
        self._reset()
        close_at_exit(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._relay.hub = None
        self._registry: Registry | None = None
        self._reset_counts()
        self._pid = os.getpid()  # last: from now on other threads use what is new

    def _check_process(self) -> None:
        if self._is_closed:
            raise BrokerUnavailableError("the broker is closed")
        if self._pid != os.getpid():
            with self._changing_process:
                if self._pid != os.getpid():
                    self._reset()

    def _hub(self) -> Hub:
        self._check_process()
        hub = self._relay.hub
        if hub is None:
            with self._lock:
                hub = self._relay.hub
                if hub is None:
                    hub = self._relay.hub = Hub(self._engine, self._prefix)
        return hub

    def _runs(self) -> Registry:
        self._check_process()
        registry = self._registry
        if registry is None:
            with self._lock:
                registry = self._registry
                if registry is None:
                    registry = self._registry = Registry(self._engine, self._hub, self._prefix, self._timeout)
        return registry

    # subscribing

    def subscribe(
        self,
        channel: str | Iterable[str],
        *,
        since: str | None = None,
        replay: int | None = None,
        snapshot: Callable[[], Any] | None = None,
        on_gap: Literal["reset", "snapshot", "gone"] | None = None,
    ) -> Subscription:
        """Make a source of a channel's events, or of several channels'. It registers nothing until it is read.

        In a Response it goes on after the request's Last-Event-ID (header, or else query). It can be iterated, too, by
        `for` and by `async for`, and yields Events.

        Args:
            channel: its name, or up to 16 names.
            since: where to begin without a request's cursor: None or "now", "earliest" (of the history), or an id.
            replay: begin with so many of the newest events at most.
            snapshot: a function, sync or async, that loads the state, which is sent before the events that follow it;
                a sync one is called in a thread where the subscription is read on an event loop.
            on_gap: what to do where events after the cursor are no longer stored: "reset" sends the event
                `stream-reset`, "snapshot" the state (the default if `snapshot` is given), "gone" answers 410.

        Raises:
            ValueError: an option has a value that is not allowed.
            TypeError: an option is of the wrong type.
        """
        options = options_of(self._prefix, channel, since, replay, snapshot, on_gap)
        return Subscription(self._hub, options, self._log_name)

    # the end

    def stats(self) -> BrokerStats:
        """Return the counts of this process."""
        hub = self._relay.hub if self._pid == os.getpid() else None
        counts: dict[str, Any] = {} if hub is None else hub.counts()
        return BrokerStats(
            published=self._counts.published,
            publish_seconds=self._counts.seconds,
            publish_errors=self._counts.errors,
            **counts,
        )

    @property
    def _run_count(self) -> int:
        """The number of runs that are produced in this process."""
        registry = self._registry if self._pid == os.getpid() else None
        return 0 if registry is None else registry.count

    def _end_runs(self) -> None:
        """End the runs that are produced in this process as cancelled; `drain` calls it, after their grace."""
        registry = self._registry if self._pid == os.getpid() else None
        if registry is not None:
            registry.end()

    def _end_subscriptions(self) -> None:
        """End every subscription of this process; `drain` calls it. The broker can be used again."""
        hub, self._relay.hub = self._relay.hub, None
        if hub is not None and self._pid == os.getpid():
            hub.close()

    def close(self) -> None:
        """End every subscription, and close the engine. Does nothing the second time."""
        if self._is_closed:
            return
        self._end_runs()
        self._is_closed = True
        self._end_subscriptions()
        self._engine.close()

    async def aclose(self) -> None:
        """Close it, on an event loop."""
        if self._is_closed:
            return
        if self._run_count:
            await asyncio.to_thread(self._end_runs)
        self._is_closed = True
        self._end_subscriptions()
        await self._engine.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Broker {self._prefix} on {type(self._engine).__name__}>"


def _check_prefix(prefix: object) -> str:
    if not isinstance(prefix, str):
        raise TypeError(f"prefix: expected text, got {type(prefix).__name__}")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"prefix: expected 1 to 64 letters, digits, '_', '-' and '.', got {prefix[:80]!r}")
    return prefix


def _check_timeout(seconds: object) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"publish_timeout: expected seconds, got {type(seconds).__name__}")
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise ValueError(f"publish_timeout: expected more than 0 and at most {_LONGEST_TIMEOUT:.0f}, got {seconds!r}")
