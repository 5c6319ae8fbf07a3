"""The leases of the runs that this process listens to: one look at each, however many listeners it has.

A lease that has ended makes its run lost: the first process that says so writes the end, and all listeners read it. A
run whose engine cannot be reached is given up by its listeners some seconds after its lease must have ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from stream_adapter._broker._channel import Channel
from stream_adapter._broker._hub import Hub
from stream_adapter._log import logger
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
        is_own: tells by channel and run whether this process produces it, and will renew its lease.
    """

    def __init__(self, hub: Hub, engine: Engine, is_own: Callable[[str, str], bool]) -> None:
        self.hub = hub
        self._engine = engine
        self._is_own = is_own
        # both under the hub's lock
        self._watched: dict[str, tuple[str, float]] = {}  # by channel: the run, and when its lease must have ended
        self._given_up: set[tuple[str, str]] = set()

    def watch(self, channel: Channel, state: RunState) -> None:
        """Watch the lease of a run as long as its channel has listeners; the engine has just said that it runs."""
        with self.hub.lock:
            is_watched = channel.key in self._watched
            self._note(channel, state)
        if not is_watched:
            self.hub.after(self._pause(state), partial(self._look, channel.key))

    def is_given_up(self, key: str, epoch: str) -> bool:
        """Return True if the run counts as lost although the engine has not reported it."""
        return (key, epoch) in self._given_up

    def _note(self, channel: Channel, state: RunState) -> None:
        until = time.monotonic() + max(state.expires - time.time(), 0) + _GRACE
        self._watched[channel.key] = state.epoch, until
        self._given_up.discard((channel.key, state.epoch))

    def _forget(self, key: str) -> None:
        self._watched.pop(key, None)
        self._given_up = {given_up for given_up in self._given_up if given_up[0] != key}

    def _look(self, key: str) -> None:
        """Look at a run's lease, and end the run if the lease has."""
        with self.hub.lock:  # a listener that comes now is either seen here, or watches again
            channel = self.hub.channels.get(key)
            if channel is None or not channel.listeners:
                self._forget(key)
                return
            epoch, until = self._watched[key]
        try:
            state = self._engine.run_state(key)
            if (
                state is not None
                and state.status == "running"
                and state.expires <= time.time()
                and not self._is_own(key, state.epoch)
            ):
                state = self._end(channel, state)
        except Exception as error:  # noqa: BLE001  # the engine is asked again: clients must learn of the end
            if not isinstance(error, BrokerError):
                logger.exception("looking at the lease of a run failed; trying again")
            if time.monotonic() > until:
                with self.hub.lock:
                    self._given_up.add((key, epoch))
                self.hub.wake(channel)
            self.hub.after(_SOON, partial(self._look, key))
            return
        if state is None or state.status != "running":
            self.hub.changed(key)  # its end may have been reported while the engine was away
            with self.hub.lock:
                if self._watched[key][0] == epoch:
                    self._forget(key)
                    return
            self.hub.after(_SOON, partial(self._look, channel.key))  # a newer run has a listener by now
            return
        with self.hub.lock:
            self._note(channel, state)
        self.hub.after(self._pause(state), partial(self._look, channel.key))

    def _end(self, channel: Channel, state: RunState) -> RunState | None:
        try:
            return self._engine.finish(channel.key, state.token, "lost", [frame_of_end("lost")])
        except FencedError:  # another reader was the first, or its producer at the last moment
            return self._engine.run_state(channel.key)

    def _pause(self, state: RunState) -> float:
        left = state.expires - time.time()
        return _SOON if left < -_LATE else min(left + _LATE, _LONGEST)
