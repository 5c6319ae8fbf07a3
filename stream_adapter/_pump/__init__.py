"""The boundaries between threads and tasks, sync and async: all threads, tasks and locks of the library are here.

Who owns what:

    the source     its producer: one task, one thread, or the consumer itself; no other code iterates or closes it
    the buffer     one producer puts, one consumer takes (buffer.py lists the fields of each)
    the context    one copy per stream; every step and the close run in it, one at a time (context.py)
    a worker       leased by one stream for its life (thread_pool.py)
    a file thread  shared by all downloads, for one step each (thread_pool.py)
    the loop       one per process, for async sources under a sync server (background_loop.py)
    a wait         of a source in a thread, for a broker's event: woken when the stream is over (source_thread.py)
    a supervisor   one thread per task of watching, while there is something to watch (supervisor.py)

This package knows errors and limits. Of sources and formats it knows only the Protocols in producers/base.py.
"""

from .background_loop import background_loop, is_on_background_loop, run
from .blocking import BLOCKING_REMEDY, set_warn_blocking, watch
from .buffer import Buffer
from .consumers import AsyncConsumer, SendEarly
from .context import StepContext, copy_variables
from .deadlines import Deadlines
from .producers import (
    Cancelled,
    InlineProducer,
    Pipe,
    PolledProducer,
    Producer,
    PushProducer,
    TaskProducer,
    ThreadProducer,
    undecided,
)
from .source_thread import SourceThread, interruptible, source_runs_in
from .sync_consumer import SyncConsumer
from .tasks import Begun, context_of, current_loop, for_task, running_loop, step_as
from .thread_pool import (
    call_for_future,
    check_threads,
    in_file_thread,
    in_thread,
    lease,
    set_max_threads,
    submit_to_file_thread,
)
from .wakeups import Interrupted, Interruption, LoopWaker, ThreadWaker, Waker

__all__ = [
    "BLOCKING_REMEDY",
    "AsyncConsumer",
    "Begun",
    "Buffer",
    "Cancelled",
    "Deadlines",
    "InlineProducer",
    "Interrupted",
    "Interruption",
    "LoopWaker",
    "Pipe",
    "PolledProducer",
    "Producer",
    "PushProducer",
    "SendEarly",
    "SourceThread",
    "StepContext",
    "SyncConsumer",
    "TaskProducer",
    "ThreadProducer",
    "ThreadWaker",
    "Waker",
    "background_loop",
    "call_for_future",
    "check_threads",
    "context_of",
    "copy_variables",
    "current_loop",
    "for_task",
    "in_file_thread",
    "in_thread",
    "interruptible",
    "is_on_background_loop",
    "lease",
    "run",
    "running_loop",
    "set_max_threads",
    "set_warn_blocking",
    "source_runs_in",
    "step_as",
    "submit_to_file_thread",
    "undecided",
    "watch",
]
