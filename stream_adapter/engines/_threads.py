"""The thread in which an engine listens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stream_adapter.errors import BrokerUnavailableError

__all__ = ["start_listening"]


def start_listening(run: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread that ends with the process at the latest.

    Raises:
        BrokerUnavailableError: the system has not got a thread for it; the next caller tries again.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise BrokerUnavailableError(f"the broker's engine cannot be listened to: {error}") from error
    return thread
