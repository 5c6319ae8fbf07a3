"""Publish and subscribe: the layer between an engine and a Response.

broker.py            Broker, the public face: checks options, subscribes, closes
_publish_methods.py  what Broker has for publishing
_stats.py            what operators see
_relay.py            what the engine reports to: the hub of this process, if there is one
_payloads.py         data → the bytes that an engine stores
_records.py          the bytes → an event of a channel, in each format, encoded once
_ids.py              positions as ids, and the cursors that clients send
_ring.py             the newest events of one channel, in one process
_channel.py          what the listeners of one channel share
_hub.py              one per process and broker: listeners, watches (its docstring lists the owners)
_openings.py         its base: channels are opened, many together
_readings.py         the base of that: histories are read, many together
_repairs.py          the base of that: holes are read again, positions compared
_waiters.py          how listeners of event loops and of threads are woken
_listener.py         one subscription's steps, without I/O
_frameworks.py       what frameworks keep for a request: threads, connections, a language
_steps.py            what a step is, and how one goes on after it
_listening.py        the lazy source, and the sync and the async loop around those steps
_subscription.py     that of a subscription, and its options
_run_methods.py      what Broker has for runs
_runs/               runs: who produces them, how, and what their clients read

A run is a channel of a name space of its own that one producer writes with the token of `Engine.claim`. Its epoch is
the run's id, so a cursor of an older run never fits. Its entries are not trimmed: a client without a cursor reads them
from the first one, up to the record that `Engine.finish` appended.
"""

from ._records import Event
from ._runs import Run
from .broker import Broker, BrokerStats

__all__ = ["Broker", "BrokerStats", "Event", "Run"]
