"""The thread in which a WSGI application is called, iterated and closed while the request's thread waits beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar

from stream_adapter._pump import lease

from .wsgi_call import Call

__all__ = ["Thread"]

T = TypeVar("T")

_END: Any = object()


class Thread:
    """A thread of the pool's, and a copy of the request's context.

    Raises:
        CapacityError: as many threads are leased as are allowed.

    Attributes:
        context: in which its jobs run.
        submit: has a job done, in turn.
        release: gives the thread back; nothing may be run after it.
    """

    def __init__(self) -> None:
        worker = lease()
        self.context = copy_context()
        self.submit = worker.submit
        self.release = worker.release

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function there, and wait for it."""
        called = Future[T]()

        def job() -> None:
            try:
                called.set_result(self.context.run(function, *arguments))
            except BaseException as error:  # noqa: BLE001  # whoever waits raises it
                called.set_exception(error)

        self.submit(job)
        return called.result()

    def pass_on(self, call: Call, headers: list[tuple[str, str]]) -> Iterable[bytes]:
        """Pass a response that is not a stream; the server itself looks at a body that is there already."""
        body = call.pass_on(headers)
        if not call.is_ready():
            return _Passed(call, self)
        self.release()
        return body


class _Passed:
    """A body that is iterated and closed where the application was called: thread-locals and connections stay right."""

    def __init__(self, call: Call, thread: Thread) -> None:
        self._call = call
        self._thread: Thread | None = thread
        self._run = thread.run

    def __iter__(self) -> Iterator[bytes]:
        chunks: Iterator[Any] = self._run(iter, self._call)
        chunk: Any
        while (chunk := self._run(next, chunks, _END)) is not _END:
            yield chunk

    def close(self) -> None:
        """Close it. Does nothing the second time."""
        if self._thread is not None:
            self._thread = None
            self._run(self._call.close)
