"""Decide who produces a run, and where its client continues. The functions do not wait: see `_asking`."""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

from stream_adapter._broker._ids import ChannelName, cursors_of
from stream_adapter._pump import check_threads
from stream_adapter.engines import RunState
from stream_adapter.errors import CapacityError, FencedError, RunConflictError

from ._asking import Asking
from ._ending import frame_of_end
from ._options import Options
from ._registry import Registry

__all__ = ["Place", "beginning_in_a_thread", "cancelling", "claiming", "finding", "present", "restarting", "resuming"]

_POLL = 0.05  # seconds between two looks at a run that was asked to end
_LONGEST_WAIT = 60.0  # seconds for such a run to end; a lease that is longer than that is an odd one


class Place(NamedTuple):
    """Where a client of a run goes on: after `offset`."""

    state: RunState
    offset: int


def present(runs: Registry, name: ChannelName) -> Asking[RunState | None]:
    """Return the newest run of a key; one whose lease has ended is lost from now on, unless it is produced here."""
    state: RunState | None = yield partial(runs.engine.run_state, name.key)
    return None if state is None else (yield from _settled(runs, name, state))


def _settled(runs: Registry, name: ChannelName, state: RunState) -> Asking[RunState]:
    if state.status != "running" or state.granted or state.expires > time.time():
        return state
    if runs.is_own(name.key, state.epoch):  # it was late, with its loop or with all of this machine: it will renew it
        return state
    try:
        settled: RunState = yield partial(runs.engine.finish, name.key, state.token, "lost", [frame_of_end("lost")])
    except FencedError:  # another reader was the first
        settled = (yield partial(runs.engine.run_state, name.key)) or state
    return settled


def claiming(runs: Registry, name: ChannelName, options: Options) -> Asking[RunState]:
    """Begin a run, `granted`, or return the one to join.

    Raises:
        RunConflictError: one runs, and `if_running` is "reject"; or it does not end although it was cancelled.
    """
    claim = partial(runs.engine.claim, name.key, lease=options.lease, retain=options.retain)
    state: RunState = yield claim
    state = yield from _settled(runs, name, state)
    if state.granted:
        return state
    if state.status == "running":
        # one that is stopped already is not what a restart wants to join
        if options.if_running == "cancel" or (state.cancelled and options.if_done == "restart"):
            yield partial(runs.engine.cancel, name.key, state.epoch)
            yield from _end_of(runs, name, state)
            state = yield partial(claim, restart=True)
    elif options.if_done == "restart":
        state = yield partial(claim, restart=True)
    if options.if_running == "reject" and state.status == "running" and not state.granted:
        raise RunConflictError(f"a run of {name.public!r} is there already, and if_running is 'reject'")
    return state


def beginning_in_a_thread(runs: Registry, name: ChannelName, options: Options) -> Asking[None]:
    """Look for a thread before a run begins that needs one; none is needed to join a run that is there.

    Raises:
        CapacityError: all threads are taken.
    """
    try:
        check_threads()
    except CapacityError:
        state = yield from present(runs, name)
        joins = options.if_running != "cancel" if state and state.status == "running" else options.if_done == "join"
        if state is None or not joins:
            raise


def restarting(runs: Registry, name: ChannelName, options: Options) -> Asking[RunState]:
    """Begin a run in any case, unless one runs.

    Raises:
        RunConflictError: one runs.
    """
    yield from present(runs, name)
    claim = partial(runs.engine.claim, name.key, lease=options.lease, retain=options.retain, restart=True)
    state: RunState = yield claim
    if not state.granted:
        raise RunConflictError(f"a run of {name.public!r} is there already, and has another producer")
    return state


def _end_of(runs: Registry, name: ChannelName, state: RunState) -> Asking[None]:
    until = time.monotonic() + _LONGEST_WAIT
    while True:
        newest = yield from present(runs, name)
        if newest is None or newest.epoch != state.epoch or newest.status != "running":
            return
        if time.monotonic() > until:
            raise RunConflictError(f"a run of {name.public!r} was cancelled, and has not ended")
        yield _POLL


def cancelling(runs: Registry, name: ChannelName, epoch: str) -> Asking[bool]:
    """Ask the producer of a run to end; return True if that run runs."""
    state: RunState | None = yield partial(runs.engine.cancel, name.key, epoch)
    return state is not None and state.epoch == epoch and state.status == "running"


def finding(runs: Registry, name: ChannelName, wait: float) -> Asking[RunState | None]:
    """Return the newest run of a key; wait so many seconds for one to begin."""
    until = time.monotonic() + wait
    while True:
        state = yield from present(runs, name)
        left = until - time.monotonic()
        if state is not None or left <= 0:
            return state
        yield min(_POLL, left)


def resuming(runs: Registry, name: ChannelName, cursor: str) -> Asking[Place | None]:
    """Return the place after a client's cursor; None if it has all that there is, or its run is there no more."""
    [position] = cursors_of(cursor, [name])
    if position is None:
        return None
    state = yield from present(runs, name)
    if state is None or state.epoch != position.epoch:
        return None
    page = yield partial(runs.engine.read, name.key, None, 0)
    if page.epoch != state.epoch or position.offset > page.top:
        return None
    if state.status != "running" and position.offset == page.top:
        return None
    return Place(state, position.offset)
