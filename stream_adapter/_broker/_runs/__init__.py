"""Runs: a generator that is started once for a key, and outlives its client and its request.

_options.py     the options of a run, checked
_ending.py      the last record of a run: how it is stored, and what listeners are sent
_asking.py      steps that ask the engine, driven in a thread or on a loop
_claiming.py    who produces: claim, join, reject, cancel; what a client's cursor means
_outbox.py      items that a source has yielded and the engine has not stored
_driving.py     the source: a task of a loop, or a thread
_lease.py       the lease of a run that is produced here: when it is renewed, and lost
_keeper.py      the leases of one loop: renewed together
_journal.py     what a producer writes of its run, once: the items, and the end
_production.py  a run whose producer is in this process: its tasks, and how it ends
_watchdog.py    runs whose producers are elsewhere: a lease that has ended makes them lost
_following.py   a client's place in a run, and the steps from there
_client.py      one client of a run, until it has left
_joining.py     what a Run object does: begin or join once, and open a stream for each client
_registry.py    the runs of one broker in one process
run.py          Run, the public face

Who owns what, and who may touch it:

    a source        its driver alone: one task of the run's loop, or one thread, which also closes it
    the outbox      its driver puts, its production takes, each its own fields
    a production    the run's loop: a task that writes. `stop` is called in any thread
    the lease       the loop's keeper renews it; any process but its producer's may finish a run whose lease has ended;
                    the engine decides which one did
    a watchdog      the hub's worker thread
    a follower      its own loop or thread, as a listener of the hub

The run's loop is the one on which it was started: the server's under ASGI, the library's own under WSGI. Its tasks
belong to the registry and to no request: no cancel scope of a request reaches them.
"""

from ._options import Options, work_of
from ._registry import Registry
from .run import Run

__all__ = ["Options", "Registry", "Run", "work_of"]
