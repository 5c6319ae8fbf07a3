"""The methods of `Broker` that publish, as its base class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any, Literal, overload

from stream_adapter._encode import kind_of
from stream_adapter.engines import Engine, Frame, History, Position

from ._ids import ChannelName
from ._payloads import pack
from ._stats import PublishCounts, PublishingCall

__all__ = ["PublishMethods"]

_MAX_KEY = 255  # characters


class PublishMethods:
    """The methods of `Broker` that publish, and their counts."""

    _engine: Engine
    _prefix: str
    _history: History
    _timeout: float

    @abstractmethod
    def _check_process(self) -> None:
        """Raise if the broker is closed, and begin again in a forked child."""

    def _reset_counts(self) -> None:
        self._counts = PublishCounts()

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
        with PublishingCall(self._counts, len(frames)):
            positions = self._engine.append_many(name.key, frames, history=self._history, timeout=self._timeout)
        return _ids_of(name, positions)

    def _append_using(self, using: object, name: ChannelName, frames: list[Frame]) -> list[str]:
        self._check_process()
        append: Any = getattr(self._engine, "append_using", None)
        if append is None:
            raise ValueError("using: expected an engine with transactions, as that of postgresql://, got another")
        connection = _connection_of(using)
        with PublishingCall(self._counts, len(frames)):
            positions = append(connection, name.key, frames, history=self._history)
        return _ids_of(name, positions)

    async def _aappend(self, name: ChannelName, frames: list[Frame]) -> list[str]:
        self._check_process()
        with PublishingCall(self._counts, len(frames)):
            positions = await self._engine.aappend_many(name.key, frames, history=self._history, timeout=self._timeout)
        return _ids_of(name, positions)

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


def _ids_of(name: ChannelName, positions: list[Position]) -> list[str]:
    return [name.id_of(epoch, offset) for epoch, offset in positions]


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
    if not hasattr(using, "cursor") or iscoroutinefunction(getattr(using, "commit", None)):
        raise TypeError(f"using: expected a Django alias or a connection that is not async, got {type(using).__name__}")
    return using


def _after_commit(publish: Callable[[], str]) -> str | None:
    """Publish after Django's transaction, or now outside of a transaction."""
    from django.db import transaction  # noqa: PLC0415  # who asks for it has it

    published: list[str] = []
    transaction.on_commit(lambda: published.append(publish()))
    return published[0] if published else None
