"""Engines: they store the channels of a broker, and notify processes of what is appended.

An engine is a few methods (`Engine`), and reports notices to its `Receiver`, the broker's hub. Write one by
deriving from `BaseEngine`: `append_many`, `read`, `watch` and `unwatch` are all that events need; `positions`,
`watch_many` and `renew_many`, which the protocol does not require, to ask for many channels in one round trip; and
`claim`, `renew`, `finish`, `cancel`, `run_state` for runs. Then `Broker(MyEngine(…))`. The suite that it must pass is
`stream_adapter.testing.EngineConformance`.

    class MyEngine(BaseEngine):
        def append_many(self, channel, frames, *, history, token=None, timeout=None): ...
        def read(self, channel, since, limit): ...
        def watch(self, channel): ...
        def unwatch(self, channel): ...

Sync and async callers. A sync method serves sync callers and the hub's thread; it may block, never longer than its
timeout. The broker calls the async methods on an event loop: `aappend_many`, `apositions`, `aclose`. BaseEngine makes
them of the sync ones: called on the loop if `blocks` is False, in four threads otherwise. An engine whose client has
an async side overrides them, with connections for each loop.

Who owns what, and who may touch it:

    entries          the engine; offsets are 1, 2, 3 … within an epoch, and `top` never falls in it
    an epoch         its channel; it ends when the store has lost what it held, and offsets begin again
    connections      the process (`os.getpid()`) that opened them: BaseEngine.check_process forgets a parent's
    watched channels the hub, which watches each once, whatever the number of its listeners; after its connection came
                     back the engine watches them again by itself, and then calls `receiver.reconnected()`
    the receiver     callable from any thread, returns at once; reports may be lost, doubled and out of order, for the
                     hub splices by offset, reads holes again and compares positions
    a run            the channel's epoch while it is written with a token: append only, never trimmed, kept after its
                     end for `retain` seconds
"""

from stream_adapter.errors import FencedError

from ._base import BaseEngine
from ._protocol import Engine, Receiver
from ._registry import engine_of
from ._values import KEY_SECONDS, Entry, Frame, History, Page, Position, RunState, RunStatus, new_epoch
from .memory import MemoryEngine

__all__ = [
    "KEY_SECONDS",
    "BaseEngine",
    "Engine",
    "Entry",
    "FencedError",
    "Frame",
    "History",
    "MemoryEngine",
    "Page",
    "Position",
    "Receiver",
    "RunState",
    "RunStatus",
    "engine_of",
    "new_epoch",
]
