"""The crossings between sync and async, and the only threads, tasks and locks of the project.

Who owns what, and who may touch it:

    the source     its producer: one task, one thread, or the consumer itself; nobody else iterates or closes it
    the buffer     one producer puts, one consumer takes (buffer.py says which fields are whose)
    the context    one copy a stream; every step and the close run in it, one at a time
    a worker       leased by one stream for its life (threads.py)
    a file thread  every download's, for one step of it (threads.py)
    the loop       one a process, for async sources under a sync edge (loop.py)

This package knows errors and limits, and of sources and formats only the two Protocols in producers/base.py.
"""

from .background_loop import background_loop, copy_variables, current_loop, run, running_loop
from .blocking import set_warn_blocking
from .buffer import Buffer
from .consumers import AsyncConsumer, Interrupted, Interruption, SyncConsumer
from .deadlines import Deadlines
from .producers import (
    InlineProducer,
    Pipe,
    Producer,
    PushProducer,
    StepContext,
    TaskProducer,
    ThreadProducer,
    for_task,
    undecided,
)
from .thread_pool import in_file_thread, in_thread, lease, set_max_threads, submit_to_file_thread
from .wakeups import LoopWaker, ThreadWaker, Waker

__all__ = [
    "AsyncConsumer",
    "Buffer",
    "Deadlines",
    "InlineProducer",
    "Interrupted",
    "Interruption",
    "LoopWaker",
    "Pipe",
    "Producer",
    "PushProducer",
    "StepContext",
    "SyncConsumer",
    "TaskProducer",
    "ThreadProducer",
    "ThreadWaker",
    "Waker",
    "background_loop",
    "copy_variables",
    "current_loop",
    "for_task",
    "in_file_thread",
    "in_thread",
    "lease",
    "run",
    "running_loop",
    "set_max_threads",
    "set_warn_blocking",
    "submit_to_file_thread",
    "undecided",
]
