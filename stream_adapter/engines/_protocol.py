"""The interface between a broker and its engine, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ._values import Entry, Frames, History, Page, Position, RunState, RunStatus

__all__ = ["Engine", "Receiver"]


class Receiver(Protocol):
    """What an engine reports to. Every method may be called in any thread, returns at once, and does not raise."""

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        """Take entries that were appended to a watched channel; duplicates, holes and other orders are allowed."""
        ...

    def changed(self, channel: str | None = None) -> None:
        """Read a watched channel again, or each of them: for engines whose notice carries no entries."""
        ...

    def disconnected(self, error: BaseException) -> None:
        """Record that notices do not arrive until `reconnected` is called."""
        ...

    def reconnected(self) -> None:
        """Compare the positions of all watched channels: notices may have been lost."""
        ...


class Engine(Protocol):
    """Channels of entries, each with an epoch and offsets without holes, in a store that processes share.

    The sync methods are called in any thread, several at a time, and may block for `timeout` at most. The async ones do
    the same on any event loop, which they never block; derive from `BaseEngine` to have them made of the sync ones.
    Channels are names of 1 to 330 printable characters. What belongs to a process (connections, threads) is remade
    where `os.getpid()` has changed.

    Raises:
        BrokerUnavailableError: from any method: the store cannot be reached.
        PublishTimeoutError: from any method that writes: no answer came in time; it may or may not have been stored.

    Attributes:
        blocks: whether sync methods may wait for I/O. If not, they are called on event loops, too.
    """

    blocks: bool

    def bind(self, receiver: Receiver) -> None:
        """Report to `receiver` from now on. Called once, before the first `watch`."""
        ...

    def append_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames in one atomic step and one round trip, trim the channel, and notify all who watch it.

        A frame whose key was appended less than `KEY_SECONDS` ago is not stored again.

        Args:
            channel: where to.
            frames: one or more.
            history: how much of the channel to keep.
            token: of the run that writes, whose entries are not trimmed; None outside of runs.
            timeout: seconds to wait for the store; None: as long as the engine does by itself.

        Returns:
            The position of each frame, or of the earlier frame with its key.

        Raises:
            FencedError: `token` is not that of the channel's running run.
        """
        ...

    async def aappend_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames, on an event loop."""
        ...

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        """Read entries, and their place in the channel, in one atomic step. Entries past their age are not there.

        A channel that does not exist yet begins an epoch by being read, so that its position can be resumed from.

        Args:
            channel: where from.
            since: entries after this offset, the oldest first; None: the newest ones.
            limit: how many at most; 0 for their place alone.
        """
        ...

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel, in one round trip, as `read` would."""
        ...

    async def apositions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel, on an event loop."""
        ...

    def watch(self, channel: str) -> None:
        """Report what is appended to a channel from now on: once this returns, no later append goes unreported."""
        ...

    def unwatch(self, channel: str) -> None:
        """Stop reporting a channel."""
        ...

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        """Begin a run on a channel, in one atomic step: a new epoch, a greater token, no entries.

        Args:
            channel: where it will write.
            lease: seconds until it is lost unless it is renewed.
            retain: seconds that it is kept after its end.
            restart: whether it replaces one that has ended and is still kept.

        Returns:
            The run's state, `granted`; or that of the run that is there, which goes on: also one whose lease has ended
            until a reader finishes it as "lost".
        """
        ...

    def renew(self, channel: str, token: int, *, lease: float) -> RunState:
        """Extend a run's lease, and look whether it was cancelled.

        Raises:
            FencedError: `token` is not that of the channel's running run.
        """
        ...

    def finish(self, channel: str, token: int, status: RunStatus, frames: Frames = ()) -> RunState:
        """Append the last frames of a run and end it, in one atomic step.

        A frame whose `planned` place is there is not stored again, as in `append_many`. Every reader that meets a lease
        that has ended may finish the run as "lost"; the first one does. A run whose lease has not ended cannot be
        finished so: it goes on, and its state is returned.

        Raises:
            FencedError: `token` is not that of the channel's running run.
        """
        ...

    def cancel(self, channel: str, epoch: str) -> RunState | None:
        """Ask the producer of a run to end, and have watchers of the channel look: `renew` says so from now on.

        Returns:
            The state of the channel's newest run, which stays as it is if its epoch is another; None if the
            channel has no run.
        """
        ...

    def run_state(self, channel: str) -> RunState | None:
        """Return the state of the channel's newest run; None without a run, or after it was forgotten."""
        ...

    def close(self) -> None:
        """Close connections and threads. Does nothing the second time.

        Methods raise BrokerUnavailableError from now on.
        """
        ...

    async def aclose(self) -> None:
        """Close them, on an event loop."""
        ...
