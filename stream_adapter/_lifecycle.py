"""The state that the streams of a process share: the thread limit, and the registry of live streams.

A body is registered when it starts and unregistered when its source is closed. `drain` is for the end of a process, or
of a worker: it ends every live stream, each in its own thread or loop, where its source is closed.
"""

# pyright: reportPrivateUsage=false
# of `Shared`, which is declared here: users of a broker do not see them

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol
from weakref import WeakSet, ref

from ._limits import check_seconds
from ._log import log_unhandled_signal
from ._pump import current_loop, set_max_threads, set_warn_blocking
from .types import Reason

__all__ = [
    "Drainable",
    "Shared",
    "active_stream_count",
    "close_at_exit",
    "close_with_child",
    "configure",
    "drain",
    "drain_on_signal",
    "is_draining",
    "register",
    "unregister",
]


class Drainable(Protocol):
    """A stream that can be ended from outside."""

    def end(self, reason: Reason) -> None:
        """End it, from any thread. Can be called more than once."""
        ...


class Shared(Protocol):
    """A source of streams that outlives them: a broker."""

    @property
    def _run_count(self) -> int:
        """How many runs are produced in this process."""
        ...

    def _end_runs(self) -> None:
        """End them as cancelled."""
        ...

    def _end_subscriptions(self) -> None:
        """End every subscription."""
        ...

    def close(self) -> None:
        """Close it. Can be called more than once."""
        ...


class _Registry:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Empty the registry; a forked child does not own its parent's streams."""
        # weakly: a stream that is never closed must not be kept alive here
        self.live: dict[ref[Drainable], None] = {}
        self.stream_closed = threading.Condition()
        self.draining = 0
        self.ends_with_child = False  # what is done at exit is done where a child of multiprocessing ends, too


_EXIT_GRACE = 2.0  # seconds that streams have at the end of the process
_LOOK_AGAIN = 0.1  # seconds after which streams that have started during the drain are ended too

_registry = _Registry()
_handled: dict[int, tuple[Callable[..., None], float]] = {}  # by signal: our handler and its timeout, until looked at
_shared: WeakSet[Shared] = WeakSet()
os.register_at_fork(after_in_child=_registry.reset)


def register(stream: Drainable) -> None:
    """Add a stream to the registry."""
    _registry.live[ref(stream, _forget)] = None
    if _handled:
        _handle_again()


def unregister(stream: Drainable) -> None:
    """Remove a closed stream from the registry."""
    _forget(ref(stream))
    if _registry.draining:
        with _registry.stream_closed:
            _registry.stream_closed.notify_all()


def _forget(reference: ref[Drainable]) -> None:
    _registry.live.pop(reference, None)


def _live() -> list[Drainable]:
    """Return the live streams, the last first: a stream within another (`to_asgi`) ends before that one closes it."""
    references = list(_registry.live)  # at once: other threads register and unregister
    return [stream for reference in reversed(references) if (stream := reference()) is not None]


def close_at_exit(shared: Shared) -> None:
    """Close a broker at the end of the process, and end its subscriptions when the process is drained."""
    _shared.add(shared)


def close_with_child() -> None:
    """Close brokers at the end of this process if `multiprocessing` has started it; such a child ends without atexit.

    Its own list of what to do then is emptied when the child begins, so this is called in the child.
    """
    process: Any = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None or _registry.ends_with_child:
        return
    _registry.ends_with_child = True
    util: Any = sys.modules["multiprocessing.util"]  # the child's own code has imported it
    util.Finalize(None, _at_exit, exitpriority=0)


def is_draining() -> bool:
    """Return True while the process is drained: a stream that is closed now was not left by its client."""
    return _registry.draining > 0


def _has_runs() -> bool:
    return any(shared._run_count for shared in list(_shared))


def active_stream_count() -> int:
    """Return the number of streams of this process that have started and are not closed."""
    return len(_registry.live)


def drain(timeout: float = 10.0) -> bool:
    """End every live stream with the reason "shutdown": its source is closed, its connection breaks.

    Streams that start during the drain are ended too, and so are subscriptions that are iterated without a response.
    Runs that are produced in this process may come to their own end until the timeout has passed; then they are ended
    as cancelled. A sync source is closed as soon as its `next()` returns. Where a server waits for a client that reads
    nothing, the connection is aborted, if the server exposes its socket. Called in the thread of a running event loop,
    as in a signal handler or a lifespan, it does not wait; to wait there, `await asyncio.to_thread(drain, timeout)`.

    Args:
        timeout: seconds to wait until all are closed.

    Returns:
        True if all are closed.

    Raises:
        ValueError: the timeout is negative.
        TypeError: it is not a number.
    """
    check_seconds("timeout", timeout, zero=True)
    deadline = time.monotonic() + timeout
    _registry.draining += 1
    try:
        with _registry.stream_closed:
            while True:
                # in each round: a stream that was in its source before may be in a server's send now
                for stream in _live():
                    stream.end("shutdown")
                left = deadline - time.monotonic()
                if left <= 0 or not (_registry.live or _has_runs()) or current_loop():
                    return not _registry.live
                _registry.stream_closed.wait(min(left, _LOOK_AGAIN))
    finally:
        if current_loop() and _has_runs():  # the loop must go on until their end
            _registry.draining += 1
            _thread.start_new_thread(_end_runs, (deadline,))
        else:
            _end_runs_now()
        _registry.draining -= 1
        for shared in list(_shared):
            shared._end_subscriptions()


def _end_runs(deadline: float) -> None:
    while _has_runs() and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN)
    _end_runs_now()
    _registry.draining -= 1


def _end_runs_now() -> None:
    for shared in list(_shared):
        shared._end_runs()


def drain_on_signal(number: int = signal.SIGTERM, timeout: float = 10.0) -> None:
    """End the live streams on a signal, then do what the signal did before.

    For servers that at SIGTERM wait for open requests, as gunicorn does, or for nothing, as waitress and Werkzeug do.
    Call it in the main thread of the process that serves: where the application is imported, or in `post_worker_init`
    under `gunicorn --preload`. If the server sets its handlers later, as uvicorn does, that is seen when the first
    stream starts in the main thread; where streams have other threads, call it after that. In another thread, as that
    of Django's `runserver` with its reloader or of a test client, a signal cannot be handled: it logs so.

    Args:
        number: the signal.
        timeout: seconds to wait until all are closed, where the signal would end the process.

    Raises:
        ValueError: the signal does not exist, or the timeout is negative.
        TypeError: the timeout is not a number.
    """
    check_seconds("timeout", timeout, zero=True)
    signal.getsignal(number)  # raises if there is not such a signal
    try:
        _handled[number] = _handle(number, timeout), timeout
    except ValueError:
        log_unhandled_signal(signal.Signals(number).name)


def _handle_again() -> None:
    """Handle the signals again whose handlers a server has replaced since: uvicorn does, after importing the app."""
    for number, (handler, timeout) in list(_handled.items()):
        if signal.getsignal(number) is not handler:
            try:
                _handle(number, timeout)
            except ValueError:  # the stream of another thread may be the main one's
                return
        _handled.pop(number, None)


def _handle(number: int, timeout: float) -> Callable[..., None]:
    """Handle a signal; a ValueError says that this is not the main thread."""
    before = signal.getsignal(number)

    def drain_begun() -> None:
        try:
            drain(timeout)
        finally:
            _registry.draining -= 1

    def drain_and_raise() -> None:
        drain(timeout)
        os.kill(os.getpid(), number)

    def on_signal(number: int, frame: FrameType | None) -> None:
        # in a thread: the handler may have interrupted code that holds a lock of drain. It is not waited for, as
        # `Thread.start` would: gevent runs the handler in its hub, which must not block
        if callable(before):
            _registry.draining += 1  # now: what the signal did before may exit at once
            _thread.start_new_thread(drain_begun, ())
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL if before is None else before)
            _thread.start_new_thread(drain_and_raise, ())

    signal.signal(number, on_signal)
    return on_signal


@atexit.register
def _at_exit() -> None:
    """End the streams in threads that the interpreter does not wait for, while it still runs them."""
    if _registry.live:
        drain(_EXIT_GRACE)
    while _registry.draining and _has_runs():  # a drain of `drain_on_signal` gives them the rest of its time
        time.sleep(_LOOK_AGAIN)
    for shared in list(_shared):
        shared.close()


def configure(*, max_threads: int = 1000, warn_blocking: bool = True) -> None:
    """Configure the streams of this process.

    Args:
        max_threads: sync sources that may be streamed at a time where each has a thread (under ASGI, or with a
            keepalive or deadline); a request past them is answered 503 with Retry-After.
        warn_blocking: whether an async source that blocks its event loop (`time.sleep`, a sync client) is named in a
            warning, once, with the line where it stood.

    Raises:
        ValueError: `max_threads` is less than 1.
        TypeError: `max_threads` is not a whole number, or `warn_blocking` not True or False.
    """
    if not isinstance(warn_blocking, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
        raise TypeError(f"warn_blocking: expected True or False, got {type(warn_blocking).__name__}")
    if type(max_threads) is not int:
        raise TypeError(f"max_threads: expected a whole number, got {type(max_threads).__name__}")
    if max_threads < 1:
        raise ValueError(f"max_threads: expected 1 or more, got {max_threads}")
    set_max_threads(max_threads)
    set_warn_blocking(is_on=warn_blocking)
