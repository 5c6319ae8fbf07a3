"""What a framework brings to the streams it hosts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from dataclasses import dataclass

from stream_adapter._connection import Connection

__all__ = ["NO_HOST", "Host"]


@dataclass(frozen=True, slots=True)
class Host:
    """What a framework brings to the streams it hosts.

    Args:
        submit: runs a job in the thread that the request has apart from its edge, one at a time and in order. None:
            under an async edge, each sync source has a thread of the pool's; under a sync one, those that need it.
        thread_exit: called in a pool's thread when the source that had it is closed.
        around: held around an async source that runs on the background loop, in the source's task.
        enter: called where the source is opened: in its thread or task, and in its context.
        rests: under an async edge: the source is not asked for its second item before the body is iterated, because
            what the framework does in between (middleware) may need the source's thread.
        connection: under a sync edge: the client's, where the server shows it.
        stopping: under an async edge: called when the source is about to be stopped, so that a step that waits for
            something of the host's returns.
        context: where the source's steps and its close run; None: a copy of the present one.
        left: called when a source has not closed in time: whoever waited for its thread would wait as long as it does.
    """

    submit: Callable[[Callable[[], object]], object] | None = None
    thread_exit: Callable[[], object] | None = None
    around: Callable[[], AbstractAsyncContextManager[object]] | None = None
    enter: Callable[[], object] | None = None
    rests: bool = False
    connection: Connection | None = None
    stopping: Callable[[], object] | None = None
    context: Context | None = None
    left: Callable[[], object] | None = None


NO_HOST = Host()
