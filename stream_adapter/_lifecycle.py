"""What the streams of a process share: how many threads, and which of them are live.

A body enters when it starts and leaves when its source is closed. `drain` is for the end of a process, or of a worker:
it tells every live stream to end, each in its own thread or loop, where its source is closed.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import os
import signal
import threading
import time
from types import FrameType
from typing import Protocol
from weakref import WeakSet, WeakValueDictionary

from ._limits import check_seconds
from ._pump import set_max_threads, set_warn_blocking
from .types import Reason

__all__ = [
    "Live",
    "Shared",
    "active_streams",
    "close_at_exit",
    "configure",
    "drain",
    "drain_on_signal",
    "enter",
    "leave",
]


class Live(Protocol):
    """A stream, to one who ends it."""

    def end(self, reason: Reason) -> None:
        """Have it end, from any thread; it may be told more than once."""
        ...


class Shared(Protocol):
    """What streams are fed from, and outlives them: a broker."""

    def end_subscriptions(self) -> None:
        """Have every subscription end."""
        ...

    def close(self) -> None:
        """Close it. It may be called more than once."""
        ...


class _Registry:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew; in a forked child, the parent's streams are the parent's."""
        # by id; weakly, for one that nobody closes must not live on here
        self.live: WeakValueDictionary[int, Live] = WeakValueDictionary()
        self.someone_left = threading.Condition()
        self.draining = 0


_EXIT_GRACE = 2.0  # seconds that streams have at the end of the process
_LOOK_AGAIN = 0.1  # seconds between looks at streams that have begun meanwhile

_registry = _Registry()
_shared: WeakSet[Shared] = WeakSet()
os.register_at_fork(after_in_child=_registry.reset)


def enter(stream: Live) -> None:
    """Count a stream among the live ones."""
    _registry.live[id(stream)] = stream


def leave(stream: Live) -> None:
    """Count it no more: its source is closed."""
    _registry.live.pop(id(stream), None)
    if _registry.draining:
        with _registry.someone_left:
            _registry.someone_left.notify_all()


def _live() -> list[Live]:
    """Return the live streams, the last first: a stream within another (`to_asgi`) is told before that one closes it.

    `valuerefs` is safe while other threads enter and leave.
    """
    return [stream for reference in reversed(_registry.live.valuerefs()) if (stream := reference()) is not None]


def close_at_exit(shared: Shared) -> None:
    """Close a broker at the end of the process, and end its subscriptions when the process is drained."""
    _shared.add(shared)


def active_streams() -> int:
    """Return how many streams of this process have begun and are not closed."""
    return len(_registry.live)


def drain(timeout: float = 10.0) -> bool:
    """End every live stream with the reason "shutdown": its source is closed, its connection breaks.

    Streams that begin meanwhile are ended too, and so are subscriptions that are iterated without a response. A sync
    source is closed as soon as its `next()` returns; where a server waits for a client that reads nothing, the
    connection is cut, if the server shows its socket. Called on the thread of a running event loop, as in a signal
    handler or a lifespan, it tells them and does not wait; to wait there, `await asyncio.to_thread(drain, timeout)`.

    Args:
        timeout: seconds to wait until all are closed.

    Returns:
        Whether none is left.

    Raises:
        ValueError: the timeout is negative.
        TypeError: it is not a number.
    """
    check_seconds("timeout", timeout, zero=True)
    deadline = time.monotonic() + timeout
    _registry.draining += 1
    try:
        with _registry.someone_left:
            while True:
                for stream in _live():  # told again at each look: what was its source's before may be its server's now
                    stream.end("shutdown")
                rest = deadline - time.monotonic()
                if not _registry.live or rest <= 0 or _on_a_loop():
                    return not _registry.live
                _registry.someone_left.wait(min(rest, _LOOK_AGAIN))
    finally:
        _registry.draining -= 1
        for shared in list(_shared):
            shared.end_subscriptions()


def drain_on_signal(number: int = signal.SIGTERM, timeout: float = 10.0) -> None:
    """Have a signal end the live streams, and then do what it did before.

    For servers that at SIGTERM wait for open requests, as gunicorn does, or for nothing, as waitress and Werkzeug do.
    Call it in the main thread of the process that serves, after the server has set its own handlers: where the
    application is imported, or in `post_worker_init` under `gunicorn --preload`.

    Args:
        number: the signal.
        timeout: seconds to wait until all are closed, where the signal would end the process.

    Raises:
        ValueError: called in another thread than the main one, or the timeout is negative.
        TypeError: the timeout is not a number.
    """
    check_seconds("timeout", timeout, zero=True)
    before = signal.getsignal(number)

    def drain_and_raise() -> None:
        drain(timeout)
        os.kill(os.getpid(), number)

    def on_signal(number: int, frame: FrameType | None) -> None:
        # in a thread: the handler may have interrupted one that holds what drain needs. It is not waited for, as
        # `Thread.start` does: gevent runs the handler in its hub, where nothing may wait
        if callable(before):
            _thread.start_new_thread(drain, (timeout,))
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL if before is None else before)
            _thread.start_new_thread(drain_and_raise, ())

    signal.signal(number, on_signal)


@atexit.register
def _at_exit() -> None:
    """End the streams in threads that the interpreter does not wait for, while it still runs them."""
    if _registry.live:
        drain(_EXIT_GRACE)
    for shared in list(_shared):
        shared.close()


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def configure(*, max_threads: int = 1000, warn_blocking: bool = True) -> None:
    """Set what the streams of this process share.

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
