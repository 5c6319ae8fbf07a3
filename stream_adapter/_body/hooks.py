"""What a framework contributes to the streams that it serves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from stream_adapter._connection import Connection
from stream_adapter._pump import StepContext

__all__ = ["NO_HOOKS", "Hooks", "Host"]


@dataclass(slots=True, eq=False, repr=False)  # not frozen, which takes five times as long to make, for each request
class Hooks:
    """What a framework contributes to a stream. Every field is optional. It is not changed once it is made.

    Args:
        submit: runs a job in the thread that the framework keeps for the request, one at a time and in order. None: on
            an event loop, each sync source has a thread of the pool; elsewhere, each one that needs a thread.
        on_thread_exit: called in a thread of the pool after the source that used it is closed.
        async_context: entered around an async source that runs on the background loop, in the source's task.
        on_open: called before the source is opened, in its thread or task, and in its context.
        prefetch: on an event loop: how many items the source may yield before the body is iterated, because what the
            framework does in between (middleware) may need the source's thread. None: as many as the limits allow.
        connection: in a thread: the client's connection, if the server shows it.
        on_stopping: on an event loop: called before the source is stopped, so that a step that waits for the framework
            returns.
        context: where the source's steps and its close run. None: a copy of the current context.
        for_thread: in a thread: returns the hooks, in place of these but for the connection, of a source that runs in
            another one. It is called in the thread that starts the body, before the source is opened.
        on_stuck: called if the source did not close within `close_timeout`, so that the framework can stop waiting for
            its thread.
    """

    submit: Callable[[Callable[[], object]], object] | None = None
    on_thread_exit: Callable[[], object] | None = None
    async_context: Callable[[], AbstractAsyncContextManager[object]] | None = None
    on_open: Callable[[], object] | None = None
    prefetch: int | None = None
    connection: Connection | None = None
    on_stopping: Callable[[], object] | None = None
    context: StepContext | None = None
    on_stuck: Callable[[], object] | None = None
    for_thread: Callable[[], Hooks] | None = None


class Host(Hooks):
    """The former name of `Hooks`, with the former names of its fields; it goes with the next version."""

    def __init__(  # noqa: PLR0917  # as it was
        self,
        submit: Callable[[Callable[[], object]], object] | None = None,
        thread_exit: Callable[[], object] | None = None,
        around: Callable[[], AbstractAsyncContextManager[object]] | None = None,
        enter: Callable[[], object] | None = None,
        rests: bool = False,  # noqa: FBT001, FBT002  # as it was
        connection: Connection | None = None,
        stopping: Callable[[], object] | None = None,
        context: StepContext | None = None,
        left: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(
            submit=submit,
            on_thread_exit=thread_exit,
            async_context=around,
            on_open=enter,
            prefetch=1 if rests else None,
            connection=connection,
            on_stopping=stopping,
            context=context,
            on_stuck=left,
        )


NO_HOOKS = Hooks()
