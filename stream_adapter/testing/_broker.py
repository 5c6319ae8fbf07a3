"""A listener to a broker's channels, for tests."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from stream_adapter import Broker, Event

__all__ = ["Listening", "listening"]


class Listening:
    """A listener in a thread of its own; enter it with `with`."""

    def __init__(self, broker: Broker, channel: str | Iterable[str], since: str | None) -> None:
        self._heard: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        channels = [channel] if isinstance(channel, str) else list(channel)
        if since is None:  # a cursor, so that nothing is missed before the thread runs
            since = "~".join(broker.last_event_id(name) for name in channels)
        self._events = iter(broker.subscribe(channel if isinstance(channel, str) else channels, since=since))
        self._broker = broker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listening", daemon=True)

    def _listen(self) -> None:
        try:
            for event in self._events:
                self._heard.put(event)
                if self._stopping.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  # the test raises it
            self._heard.put(error)

    def next(self, timeout: float = 10.0) -> Event:
        """Return the next event.

        Raises:
            TimeoutError: none came in time.
            Exception: what ended the subscription.
        """
        try:
            heard = self._heard.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"expected an event, got none within {timeout:g} s") from None
        if isinstance(heard, BaseException):
            raise heard
        return heard

    def take(self, count: int, timeout: float = 10.0) -> list[Event]:
        """Return the next `count` events."""
        return [self.next(timeout) for _ in range(count)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the thread: it ends when the broker is closed, or with the next event."""
        self._stopping.set()


def listening(broker: Broker, channel: str | Iterable[str], *, since: str | None = None) -> Listening:
    """Return a listener to what is published from now on, in whichever process.

        with listening(live, "orders:42") as heard:
            client.post("/orders/42/pay")
            assert heard.next().data == {"state": "paid"}

    Args:
        broker: the application's.
        channel: one, or several.
        since: an id to begin after; None: now.
    """
    return Listening(broker, channel, since)
