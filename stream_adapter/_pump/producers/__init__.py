"""The producers: each owns a source, iterates it, encodes its items, and closes it.

    TaskProducer     an async source, in one task: iterated and closed there, in the stream's context
    ThreadProducer   a sync source, in one thread, in jobs: a job ends when the buffer is full, and the consumer submits
                     the next one, so a thread never stands waiting for a slow client
    InlineProducer   a sync source that never waits (a list), or may fill a block: iterated by the consumer itself
    PolledProducer   an async source without a task: polled for ready items, it reports when to poll again
    PushProducer     a source that sends its chunks itself, as an ASGI application does, and closes itself

The consumer sees the end (`buffer.ended`) only after the source is closed. A source may also send chunks that it does
not yield, within its own step: `put` and `wait_for_room`.
"""

from .base import Pipe, Producer, undecided
from .inline import InlineProducer
from .polled import PolledProducer
from .push import PushProducer
from .task import Cancelled, TaskProducer
from .thread import ThreadProducer

__all__ = [
    "Cancelled",
    "InlineProducer",
    "Pipe",
    "PolledProducer",
    "Producer",
    "PushProducer",
    "TaskProducer",
    "ThreadProducer",
    "undecided",
]
