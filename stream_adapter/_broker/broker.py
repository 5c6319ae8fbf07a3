"""The broker: publish from anywhere, subscribe in any worker."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, overload

from stream_adapter._encode import kind_of
from stream_adapter._lifecycle import close_at_exit
from stream_adapter._limits import check_seconds
from stream_adapter.engines import Engine, Entry, Frame, History, Position, Receiver, engine_of
from stream_adapter.errors import BrokerUnavailableError

from ._hub import Hub
from ._ids import ChannelName
from ._payloads import pack
from ._run_methods import RunMethods
from ._runs import Registry
from ._subscription import Subscription, options_of

__all__ = ["Broker", "BrokerStats"]

_ENGINE_METHODS = ("bind", "append_many", "read", "positions", "watch", "unwatch", "close")
_MAX_KEY = 255  # characters
_MAX_PREFIX = 64


@dataclass(frozen=True, slots=True)
class BrokerStats:
    """Counts of one process, since the broker was made or the process forked.

    Attributes:
        listeners: subscriptions that are being read, counted in each of their channels.
        channels: that are watched.
        published: events.
        publish_seconds: that publishing has taken, of all events together.
        publish_errors: calls that failed.
        received: events that arrived for listeners.
        lag: seconds between the newest such event's publishing and its arrival.
        resets: of listeners, by reason.
        reconnects: of the engine.
        is_connected: False while the engine's connection is lost.
    """

    listeners: int = 0
    channels: int = 0
    published: int = 0
    publish_seconds: float = 0.0
    publish_errors: int = 0
    received: int = 0
    lag: float = 0.0
    resets: dict[str, int] = field(default_factory=dict[str, int])
    reconnects: int = 0
    is_connected: bool = True


class _Relay(Receiver):
    """The receiver of the engine: it forwards to the hub of this process, if there is one."""

    def __init__(self) -> None:
        self.hub: Hub | None = None

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        if self.hub is not None:
            self.hub.received(channel, epoch, entries)

    def changed(self, channel: str | None = None) -> None:
        if self.hub is not None:
            self.hub.changed(channel)

    def disconnected(self, error: BaseException) -> None:
        if self.hub is not None:
            self.hub.disconnected(error)

    def reconnected(self) -> None:
        if self.hub is not None:
            self.hub.reconnected()


class Broker(RunMethods):
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
        if history is not None and not isinstance(history, History):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"history: expected History(…), got {type(history).__name__}")
        check_seconds("publish_timeout", publish_timeout)
        if publish_timeout is None:  # pyright: ignore[reportUnnecessaryComparison]  # callers need not be typed
            raise TypeError("publish_timeout: expected seconds, got None")
        self._history = history or History()
        self._timeout = publish_timeout
        self._engine: Engine = engine_of(url) if isinstance(url, str) else url
        self._relay = _Relay()
        self._engine.bind(self._relay)
        self._is_closed = False
        self._reset()
        close_at_exit(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._relay.hub = None
        self._registry: Registry | None = None
        self._published = self._publish_errors = 0
        self._publish_seconds = 0.0

    def _check_process(self) -> None:
        if self._is_closed:
            raise BrokerUnavailableError("the broker is closed")
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

    # publishing

    @overload
    def publish(
        self,
        channel: str,
        data: object,
        *,
        event: str | None = ...,
        key: str | None = ...,
        on_commit: Literal[False] = ...,
        using: object = ...,
    ) -> str: ...
    @overload
    def publish(
        self, channel: str, data: object, *, event: str | None = ..., key: str | None = ..., on_commit: bool
    ) -> str | None: ...
    def publish(
        self,
        channel: str,
        data: object,
        *,
        event: str | None = None,
        key: str | None = None,
        on_commit: bool = False,
        using: object = None,
    ) -> str | None:
        """Publish one event; it is stored when this returns.

        Args:
            channel: 1 to 255 printable characters.
            data: text, a JSON value, or a ServerSentEvent, whose id the broker's takes the place of; at most 1 MiB.
            event: its name.
            key: publishes once in five minutes: a second call returns the first one's id.
            on_commit: publish when Django's transaction is committed, or now outside of a transaction.
            using: publish in this connection's transaction (PostgreSQL): an alias of Django's, or a connection of
                psycopg. The event is there when it commits. Until then others who publish to the channel wait.

        Returns:
            The event's id; None if it is published later.

        Raises:
            PublishTimeoutError: no answer came in time; it may be stored or not.
            BrokerUnavailableError: the engine cannot be reached, or the broker is closed.
            ChunkEncodingError: the data is neither text nor JSON nor an event.
            ValueError: an argument has a value that is not allowed, or the data is too large.
        """
        name, frames = self._name(channel), [Frame(pack(data, event), _check_key(key))]
        if using is not None:
            if on_commit:
                raise ValueError("using: expected no on_commit with it, for both say when to publish; got both")
            return self._append_using(using, name, frames)[0]
        if on_commit:
            return _after_commit(lambda: self._append(name, frames)[0])
        return self._append(name, frames)[0]

    async def apublish(self, channel: str, data: object, *, event: str | None = None, key: str | None = None) -> str:
        """Publish one event, on an event loop; see `publish`."""
        frames = [Frame(pack(data, event), _check_key(key))]
        return (await self._aappend(self._name(channel), frames))[0]

    def publish_many(self, channel: str, items: Iterable[object], *, event: str | None = None) -> list[str]:
        """Publish several events, in one atomic step and one round trip.

        Args:
            channel: where to.
            items: the data of each, as `publish` takes it.
            event: the name of each.

        Returns:
            Their ids.

        Raises:
            Exception: what `publish` raises; then none of them is stored, or all may be.
        """
        name, frames = self._name(channel), _frames_of(items, event)
        return self._append(name, frames) if frames else []

    async def apublish_many(self, channel: str, items: Iterable[object], *, event: str | None = None) -> list[str]:
        """Publish several events, on an event loop; see `publish_many`."""
        name, frames = self._name(channel), _frames_of(items, event)
        return await self._aappend(name, frames) if frames else []

    def _append(self, name: ChannelName, frames: list[Frame]) -> list[str]:
        self._check_process()
        started = time.perf_counter()
        try:
            positions = self._engine.append_many(name.key, frames, history=self._history, timeout=self._timeout)
        except BaseException:
            self._publish_errors += 1
            raise
        return self._ids_of(name, positions, started)

    def _append_using(self, using: object, name: ChannelName, frames: list[Frame]) -> list[str]:
        self._check_process()
        append: Any = getattr(self._engine, "append_using", None)
        if append is None:
            raise ValueError("using: expected an engine with transactions, as that of postgresql://, got another")
        started = time.perf_counter()
        positions = append(_connection_of(using), name.key, frames, history=self._history)
        return self._ids_of(name, positions, started)

    async def _aappend(self, name: ChannelName, frames: list[Frame]) -> list[str]:
        self._check_process()
        started = time.perf_counter()
        try:
            positions = await self._engine.aappend_many(name.key, frames, history=self._history, timeout=self._timeout)
        except BaseException:
            self._publish_errors += 1
            raise
        return self._ids_of(name, positions, started)

    def _ids_of(self, name: ChannelName, positions: list[Position], started: float) -> list[str]:
        self._published += len(positions)
        self._publish_seconds += time.perf_counter() - started
        return [name.id_of(epoch, offset) for epoch, offset in positions]

    def last_event_id(self, channel: str) -> str:
        """Return the id of a channel's newest event: a cursor for a page that is rendered before it listens.

        It is valid as a cursor even if nothing was published yet.
        """
        name = self._name(channel)
        self._check_process()
        return name.id_of(*self._engine.positions([name.key])[name.key])

    async def alast_event_id(self, channel: str) -> str:
        """Return the id of a channel's newest event, on an event loop."""
        name = self._name(channel)
        self._check_process()
        return name.id_of(*(await self._engine.apositions([name.key]))[name.key])

    def _name(self, channel: str) -> ChannelName:
        return ChannelName.of(self._prefix, channel)

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
        return Subscription(self._hub, options, f"subscription of {self._prefix}")

    # the end

    def stats(self) -> BrokerStats:
        """Return the counts of this process."""
        hub = self._relay.hub if self._pid == os.getpid() else None
        counts: dict[str, Any] = {} if hub is None else hub.counts()
        return BrokerStats(
            published=self._published,
            publish_seconds=self._publish_seconds,
            publish_errors=self._publish_errors,
            **counts,
        )

    @property
    def run_count(self) -> int:
        """The number of runs that are produced in this process."""
        registry = self._registry if self._pid == os.getpid() else None
        return 0 if registry is None else registry.count

    def end_runs(self) -> None:
        """End the runs that are produced in this process as cancelled; `drain` calls it, after their grace."""
        registry = self._registry if self._pid == os.getpid() else None
        if registry is not None:
            registry.end()

    def end_subscriptions(self) -> None:
        """End every subscription of this process; `drain` calls it. The broker can be used again."""
        hub, self._relay.hub = self._relay.hub, None
        if hub is not None and self._pid == os.getpid():
            hub.close()

    def close(self) -> None:
        """End every subscription, and close the engine. Does nothing the second time."""
        if self._is_closed:
            return
        self.end_runs()
        self._is_closed = True
        self.end_subscriptions()
        self._engine.close()

    async def aclose(self) -> None:
        """Close it, on an event loop."""
        if self._is_closed:
            return
        if self.run_count:
            await asyncio.to_thread(self.end_runs)
        self._is_closed = True
        self.end_subscriptions()
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
    letters = prefix.replace("_", "").replace("-", "").replace(".", "")
    if not 1 <= len(prefix) <= _MAX_PREFIX or not (letters.isascii() and letters.isalnum()):
        raise ValueError(f"prefix: expected 1 to {_MAX_PREFIX} letters, digits, '_', '-' and '.', got {prefix[:80]!r}")
    return prefix


def _check_key(key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str):
        raise TypeError(f"key: expected text, got {type(key).__name__}")
    if not 1 <= len(key) <= _MAX_KEY or not key.isprintable():
        raise ValueError(f"key: expected 1 to {_MAX_KEY} printable characters, got {key[:40]!r}")
    return key


def _frames_of(items: Iterable[object], event: str | None) -> list[Frame]:
    cls: type[Any] = items.__class__
    if kind_of(cls) in {"bytes", "text"} or issubclass(cls, Mapping) or not hasattr(cls, "__iter__"):
        raise TypeError(f"items: expected several in a list, got {cls.__name__}")
    return [Frame(pack(item, event)) for item in items]


def _connection_of(using: object) -> object:
    """Return a connection: that of a Django alias, or the one that was given."""
    if isinstance(using, str):
        from django.db import connections  # noqa: PLC0415  # who names an alias has Django

        return connections[using]
    if not hasattr(using, "cursor"):
        raise TypeError(f"using: expected a Django alias or a connection, got {type(using).__name__}")
    return using


def _after_commit(publish: Callable[[], str]) -> str | None:
    """Publish after Django's transaction, or now outside of a transaction."""
    from django.db import transaction  # noqa: PLC0415  # who asks for it has it

    published: list[str] = []
    transaction.on_commit(lambda: published.append(publish()))
    return published[0] if published else None
