"""The leases of the runs that this process listens to: one look at each, however many listeners it has.

A lease that has ended makes its run lost: the first process that says so writes the end, and all listeners read it. A
run whose engine cannot be reached is given up by its listeners some seconds after its lease must have ended.
"""

from __future__ import annotations

import time
from functools import partial

from stream_adapter._broker._channel import Channel
from stream_adapter._broker._hub import Hub
from stream_adapter.engines import Engine, RunState
from stream_adapter.errors import BrokerError, FencedError

from ._ending import frame_of_end

__all__ = ["Watchdog"]

_SOON = 1.0  # seconds until another look, where the engine cannot be reached or its clock is behind the one here
_LONGEST = 4.0  # seconds between two looks: its clock may be ahead
_LATE = 0.05  # seconds after the end of a lease
_GRACE = 5.0  # seconds after a lease's end for which an engine that cannot be reached is waited for


class Watchdog:
    """The leases of one hub's runs; all but `watch` and `is_given_up` is done by the hub's worker.

    Args:
        hub: its listeners are those of the runs.
        engine: where the leases are.
    """

    def __init__(self, hub: Hub, engine: Engine) -> None:
        self.hub = hub
        self._engine = engine
        self._until: dict[
            str, float
        ] = {}  # by channel: when its lease must have ended, monotonic; under the hub's lock
        self._given_up: set[tuple[str, str]] = set()

    def watch(self, channel: Channel, state: RunState) -> None:
        """Watch the lease of a run as long as its channel has listeners."""
        with self.hub.lock:
            if channel.key in self._until:
                return
            self._note(channel, state)
        self.hub.after(self._pause(state), partial(self._look, channel, state.epoch))

    def is_given_up(self, key: str, epoch: str) -> bool:
        """Return True if the run counts as lost although the engine has not reported it."""
        return (key, epoch) in self._given_up

    def _note(self, channel: Channel, state: RunState) -> None:
        self._until[channel.key] = time.monotonic() + max(state.expires - time.time(), 0) + _GRACE

    def _forget(self, channel: Channel) -> None:
        with self.hub.lock:
            self._until.pop(channel.key, None)
            self._given_up = {given_up for given_up in self._given_up if given_up[0] != channel.key}

    def _look(self, channel: Channel, epoch: str) -> None:
        """Look at a run's lease, and end the run if the lease has."""
        if not channel.listeners or self.hub.channels.get(channel.key) is not channel:
            self._forget(channel)
            return
        try:
            state = self._engine.run_state(channel.key)
            if state is not None and state.status == "running" and state.expires <= time.time():
                state = self._end(channel, state)
        except BrokerError:
            if time.monotonic() > self._until[channel.key]:
                self._given_up.add((channel.key, epoch))
                self.hub.wake(channel)
            self.hub.after(_SOON, partial(self._look, channel, epoch))
            return
        if state is None or state.status != "running":
            self.hub.changed(channel.key)  # its end may have been reported while the engine was away
            self._forget(channel)
            return
        self._note(channel, state)
        self.hub.after(self._pause(state), partial(self._look, channel, state.epoch))

    def _end(self, channel: Channel, state: RunState) -> RunState | None:
        try:
            return self._engine.finish(channel.key, state.token, "lost", [frame_of_end("lost")])
        except FencedError:  # another reader was the first, or its producer at the last moment
            return self._engine.run_state(channel.key)

    def _pause(self, state: RunState) -> float:
        left = state.expires - time.time()
        return _SOON if left < -_LATE else min(left + _LATE, _LONGEST)
