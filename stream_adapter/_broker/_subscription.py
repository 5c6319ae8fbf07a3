"""A subscription as a source, and its options."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any, cast

from stream_adapter._encode import kind_of
from stream_adapter._media_types import EVENT_STREAM
from stream_adapter._request import RequestHead
from stream_adapter.formats._published import Item

from ._channel import MAX_REPLAY
from ._hub import Hub
from ._ids import MAX_CHANNELS, ChannelName
from ._listener import Listener, OnGap, Options
from ._listening import EventSource, Listening
from ._waiters import LoopWaiter, ThreadWaiter

__all__ = ["Subscription", "options_of"]

_ON_GAP = ("reset", "snapshot", "gone")


def options_of(  # noqa: PLR0917  # in the order of the public function's
    prefix: str, channels: object, since: object, replay: object, snapshot: object, on_gap: object
) -> Options:
    """Check the options of `Broker.subscribe`.

    Raises:
        ValueError: one has a value that is not allowed.
        TypeError: one is of the wrong type.
    """
    names = _names_of(prefix, channels)
    if since is not None and not isinstance(since, str):
        raise TypeError(f"since: expected None, 'now', 'earliest' or an id, got {type(since).__name__}")
    _check_replay(replay, since)
    if snapshot is not None:
        _check_snapshot(snapshot, replays=bool(replay) or since == "earliest")
    if on_gap is None:
        on_gap = "reset" if snapshot is None else "snapshot"
    if on_gap not in _ON_GAP:
        raise ValueError(f"on_gap: expected 'reset', 'snapshot' or 'gone', got {on_gap!r}")
    if on_gap == "snapshot" and snapshot is None:
        raise ValueError("on_gap: 'snapshot' needs snapshot=, a function that loads the state")
    if since is None and replay is None and snapshot is None:
        return _plain_options(names, cast("Any", on_gap))
    return Options(names, since, cast("Any", replay), cast("Any", snapshot), cast("Any", on_gap))


@lru_cache(1024)  # thousands of listeners have the same
def _plain_options(names: tuple[ChannelName, ...], on_gap: OnGap) -> Options:
    return Options(names, None, None, None, on_gap)


def _check_replay(replay: object, since: str | None) -> None:
    if replay is None:
        return
    if type(replay) is not int:
        raise TypeError(f"replay: expected a whole number, got {type(replay).__name__}")
    if not 0 <= replay <= MAX_REPLAY:
        raise ValueError(f"replay: expected 0 to {MAX_REPLAY}, got {replay}")
    if since not in {None, "now", "earliest"}:
        raise ValueError("replay: expected None with a cursor in since, which says what to replay; got both")


def _check_snapshot(snapshot: object, *, replays: bool) -> None:
    if not callable(snapshot):
        raise TypeError(f"snapshot: expected a function without arguments, got {type(snapshot).__name__}")
    if replays:
        raise ValueError("snapshot: expected no replay with it, for the state is sent first; got both")


def _names_of(prefix: str, channels: Any) -> tuple[ChannelName, ...]:
    if isinstance(channels, str):
        return (ChannelName.of(prefix, channels),)
    if not hasattr(channels, "__iter__") or kind_of(channels.__class__) == "bytes":
        raise TypeError(f"channel: expected text, or several in a list, got {channels.__class__.__name__}")
    names = tuple(ChannelName.of(prefix, channel) for channel in channels)
    if not 1 <= len(names) <= MAX_CHANNELS:
        raise ValueError(f"channel: expected 1 to {MAX_CHANNELS} channels, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError("channel: expected different channels, got one twice")
    return names


class Subscription(EventSource["_Subscribing"]):
    """What `Broker.subscribe` returns: a source for any number of responses, and an iterable of Events.

    It registers nothing until it is resolved for a request and read, or iterated.
    """

    __slots__ = ()

    def __init__(self, hub: Callable[[], Hub], options: Options, log_name: str) -> None:
        super().__init__(_Subscribing(hub, options, log_name))


class _Subscribing(Listening):
    """Makes the listeners of a subscription."""

    __slots__ = ("_hub", "_is_patient", "_options")

    def __init__(self, hub: Callable[[], Hub], options: Options, log_name: str, *, is_patient: bool = False) -> None:
        self._hub = hub
        self._options = options
        self._is_patient = is_patient
        self.log_name: str = log_name

    @property
    def decides_status(self) -> bool:  # type: ignore[override]  # read-only here
        """Whether a gap is answered 410."""
        return self._options.on_gap == "gone"

    def listener(self, cursor: str | None) -> tuple[Listener, LoopWaiter | ThreadWaiter]:
        """Make a listener that runs here; it begins after the cursor, or else where `since` says."""
        if cursor is None and self._options.since not in {None, "now", "earliest"}:
            cursor = self._options.since
        hub = self._hub()
        waiter = hub.waiter()
        return Listener(hub, self._options, cursor, waiter, is_patient=self._is_patient), waiter

    def for_request(self, head: RequestHead) -> AsyncIterator[Item] | Iterator[Item]:
        """Continue after the request's Last-Event-ID. An EventSource waits for an engine that is away.

        It stops for good at a status but 200 (WHATWG HTML, 9.2.3), and reconnects after a stream that breaks.
        """
        opener = self
        if EVENT_STREAM in (head.headers.get("accept") or ""):
            opener = _Subscribing(self._hub, self._options, self.log_name, is_patient=True)
        return Listening.for_request(opener, head)
