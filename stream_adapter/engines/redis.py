"""The engine on Redis 6.2 or newer, or Valkey: a hash and a stream for each channel, and Pub/Sub for what is live.

One script does each method in one atomic step (`_redis_script`). A process has one connection that subscribes
(`_redis_subscriber`), a small pool for the commands of threads (`_redis_connections`), and two connections for those of
an event loop (`_redis_loops`), whatever the number of its channels.

Redis answers before an event is on disk. What that means after a crash is decided by its `appendfsync`; that something
may be lost is noticed, for its `run_id` has changed: the channel begins another epoch, and listeners are reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stream_adapter.errors import FencedError

from ._base import BaseEngine
from ._redis_commands import Argument, Command, key_name, notice_name
from ._redis_connections import Connections
from ._redis_loops import LoopConnections
from ._redis_script import CHANGED
from ._redis_subscriber import Subscriber
from ._redis_urls import checked_url
from ._values import KEY_SECONDS, Entry, Frame, Frames, History, Page, Position, RunState, RunStatus, new_epoch

__all__ = ["RedisEngine", "engine_from_url"]

_TIMEOUT = 5.0  # seconds of a method that is given none


class RedisEngine(BaseEngine):
    """Channels in Redis or Valkey.

    Args:
        url: `redis://`, `rediss://`, `valkey://`, `valkeys://` or `unix://`, with redis-py's options in its query.
        clock: seconds since 1970; None: the server's clock, which all processes share.

    Raises:
        ValueError: the URL cannot be used.
    """

    def __init__(self, url: str, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._clock = clock
        known = checked_url(url)
        self._connections = Connections(known)
        self._loops = LoopConnections(known)
        self._watched: dict[bytes, str] = {}  # channels by their Pub/Sub names
        self._subscriber = self._new_subscriber()

    def _new_subscriber(self) -> Subscriber:
        return Subscriber(self._connections, lambda: self.receiver, self._take)

    def after_fork(self) -> None:
        """Forget the parent's connections and thread."""
        self._connections.forget()
        self._loops.forget()
        self._watched = {}
        self._subscriber = self._new_subscriber()

    def append_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames."""
        self.check_process()
        command = self._append(channel, frames, history, token)
        return _positions_of(self._connections.run(command, timeout or _TIMEOUT, writes=True))

    async def aappend_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames, on an event loop, by redis-py's async side, in one exchange with other callers' frames."""
        self.check_process()
        command = self._append(channel, frames, history, token)
        return _positions_of(await self._loops.write(command, timeout or _TIMEOUT))

    def _append(self, channel: str, frames: Frames, history: History, token: int | None) -> Command:
        keys: list[bytes] = []
        stored: list[Argument] = []
        for frame in frames:
            planned = None if token is None else frame.planned
            if planned is None and frame.key is not None:
                keys.append(key_name(channel, frame.key))
            stored += (frame.payload, _flag(frame, planned))
        bounds = ("" if token is None else token, history.count, history.age, history.bytes, KEY_SECONDS)
        return self._command("append", channel, *bounds, *stored, keys=keys)

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        """Read entries."""
        return self.read_many([(channel, since, limit)])[0]

    def read_many(self, readings: Iterable[tuple[str, int | None, int]]) -> list[Page]:
        """Read entries of several channels, in one round trip."""
        self.check_process()
        wanted = list(readings)
        if not wanted:
            return []
        commands = [
            self._command("read", channel, "" if since is None else min(since, 1 << 52), limit)
            for channel, since, limit in wanted
        ]
        replies = self._connections.run_all(commands, _TIMEOUT, writes=False)
        return [_page(reply, newest_first=since is None) for reply, (_, since, _) in zip(replies, wanted, strict=True)]

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel, in one round trip."""
        self.check_process()
        names = list(channels)
        if not names:
            return {}
        commands = [self._command("position", name) for name in names]
        replies = self._connections.run_all(commands, _TIMEOUT, writes=False)
        return {name: _position(reply) for name, reply in zip(names, replies, strict=True)}

    async def apositions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel, on an event loop."""
        self.check_process()
        names = list(channels)
        if not names:
            return {}
        commands = [self._command("position", name) for name in names]
        replies = await self._loops.read(commands, _TIMEOUT)
        return {name: _position(reply) for name, reply in zip(names, replies, strict=True)}

    def watch(self, channel: str) -> None:
        """Report what is appended to a channel from now on."""
        self.watch_many([channel])

    def watch_many(self, channels: Iterable[str]) -> None:
        """Report what is appended to channels from now on."""
        self.check_process()
        names = {notice_name(channel): channel for channel in channels}
        self._watched.update(names)
        try:
            self._subscriber.watch(list(names), _TIMEOUT)
        except BaseException:
            for name in names:
                self._watched.pop(name, None)
            raise

    def unwatch(self, channel: str) -> None:
        """Report a channel no more."""
        name = notice_name(channel)
        if self._watched.pop(name, None) is not None:
            self._subscriber.unwatch([name])

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        """Begin a run on a channel."""
        return self._run_method("claim", channel, lease, retain, "1" if restart else "")

    def renew(self, channel: str, token: int, *, lease: float) -> RunState:
        """Extend a run's lease."""
        return self._run_method("renew", channel, token, lease)

    def renew_many(self, renewals: Iterable[tuple[str, int, float]]) -> list[RunState | FencedError]:
        """Extend the leases of several runs, in one round trip."""
        self.check_process()
        commands = [self._command("renew", channel, token, lease) for channel, token, lease in renewals]
        found: list[RunState | FencedError] = []
        for outcome in self._connections.outcomes(commands, _TIMEOUT, writes=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, FencedError):
                raise outcome
            found.append(outcome if isinstance(outcome, FencedError) else _run_state(outcome))
        return found

    def finish(self, channel: str, token: int, status: RunStatus, frames: Frames = ()) -> RunState:
        """Append the last frames of a run and end it."""
        stored: list[Argument] = []
        for frame in frames:
            planned = frame.planned
            stored += (frame.payload, b"" if planned is None else b"@%d" % planned)
        return self._run_method("finish", channel, token, status, KEY_SECONDS, *stored)

    def cancel(self, channel: str, epoch: str) -> RunState | None:
        """Ask the producer of a run to end."""
        return self._state("cancel", channel, epoch)

    def run_state(self, channel: str) -> RunState | None:
        """Return the state of the channel's newest run."""
        return self._state("state", channel)

    def _run_method(self, method: str, channel: str, *arguments: Argument) -> RunState:
        state = self._state(method, channel, *arguments)
        assert state is not None, method  # noqa: S101  # the script answers these with a state or an error
        return state

    def _state(self, method: str, channel: str, *arguments: Argument) -> RunState | None:
        self.check_process()
        reply = self._connections.run(self._command(method, channel, *arguments), _TIMEOUT, writes=True)
        return None if reply is None else _run_state(reply)

    def _command(self, method: str, channel: str, *arguments: Argument, keys: Sequence[bytes] = ()) -> Command:
        now = "" if self._clock is None else f"{self._clock():.6f}"
        return Command(method, channel, keys, new_epoch(), now, arguments)

    def _take(self, name: bytes, data: bytes) -> None:
        """Report a message of the subscriber's."""
        channel = self._watched.get(name)
        if channel is None:
            return
        if data == CHANGED:
            self.receiver.changed(channel)
            return
        try:
            epoch, entries = _announced(data)
        except ValueError:  # another program's, or another version's: read what there is
            self.receiver.changed(channel)
            return
        self.receiver.received(channel, epoch, entries)

    def close(self) -> None:
        """Close connections and the thread."""
        if not self.is_closed:
            self.check_process()
            super().close()
            self._subscriber.close()
            self._connections.close()
            self._loops.close()

    async def aclose(self) -> None:
        """Close them, on an event loop."""
        await self._loops.aclose()
        await super().aclose()


def _announced(data: bytes) -> tuple[str, list[Entry]]:
    """Return the epoch and the entries of a message.

    Raises:
        ValueError: the script has not written it.
    """
    head, _, rest = data.partition(b"\n")
    epoch, first, time, lengths = head.decode().split(" ")
    entries: list[Entry] = []
    at = 0
    for offset, length in enumerate(map(int, lengths.split(",")), int(first)):
        entries.append(Entry(offset, float(time), rest[at : at + length]))
        at += length
    if at != len(rest):
        raise ValueError("a message that was cut")
    return epoch, entries


def _flag(frame: Frame, planned: int | None) -> bytes:
    """Return what the script looks for beside a payload."""
    if planned is not None:
        return b"@%d" % planned
    return b"" if frame.key is None else b"1"


def _run_state(reply: Any) -> RunState:
    epoch, token, status, expires, cancelled, granted = reply
    return RunState(
        epoch.decode(), int(token), status.decode(), float(expires), cancelled=bool(cancelled), granted=bool(granted)
    )


def _position(reply: Any) -> Position:
    epoch, top = reply
    return Position(epoch.decode(), int(top))


def _positions_of(reply: Any) -> list[Position]:
    epoch, *offsets = reply.decode().split(" ")
    return [Position(epoch, int(offset)) for offset in offsets]


def _page(reply: Any, *, newest_first: bool) -> Page:
    epoch, top, earliest, stored = reply
    entries = tuple(_entry(name, fields) for name, fields in stored)
    return Page(epoch.decode(), int(top), int(earliest), entries[::-1] if newest_first else entries)


def _entry(name: bytes, fields: list[bytes]) -> Entry:
    return Entry(int(name.partition(b"-")[0]), float(fields[1]), fields[5])


def engine_from_url(url: str) -> RedisEngine:
    """Make the engine of `redis://`, `rediss://`, `valkey://`, `valkeys://` and `unix://`.

    Raises:
        ValueError: the URL cannot be used.
    """
    return RedisEngine(url)
