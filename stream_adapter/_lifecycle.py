"""What the streams of a process share."""

from __future__ import annotations

from ._pump import set_max_threads

__all__ = ["configure"]


def configure(*, max_threads: int = 1000) -> None:
    """Set what the streams of this process share.

    Args:
        max_threads: sync sources that may be streamed at a time where each has a thread (under ASGI, or with a
            keepalive or deadline); a request past them is answered 503 with Retry-After.

    Raises:
        ValueError: it is less than 1.
        TypeError: it is not a whole number.
    """
    if type(max_threads) is not int:
        raise TypeError(f"max_threads: expected a whole number, got {type(max_threads).__name__}")
    if max_threads < 1:
        raise ValueError(f"max_threads: expected 1 or more, got {max_threads}")
    set_max_threads(max_threads)
