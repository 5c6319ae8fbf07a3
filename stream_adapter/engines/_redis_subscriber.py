"""The one connection of a process that subscribes, and its thread.

Who owns what:

    the connection   dialed and read by the thread alone. `watch` and `unwatch` send on it, under `_lock`
    watched names    under `_lock`, and with them those that the server has not confirmed yet. After a loss the thread
                     subscribes to all of them, and only when each is confirmed it reports `reconnected`
    the failure      written by the thread, under `_lock`: why the connection is lost; None while it is not
    the receiver     called by the thread
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import redis
from redis.exceptions import RedisError

from stream_adapter._log import logger
from stream_adapter.errors import BrokerUnavailableError

from ._protocol import Receiver
from ._redis_connections import Connections
from ._redis_replies import unavailable
from ._threads import start_listening

__all__ = ["Subscriber"]

_QUIET = 10.0  # seconds to connect; without a message after them the server is asked for one: is it there?
_AT_ONCE = 1000  # names in one command
_BACKOFF = (0.1, 5.0)  # seconds between two attempts to connect, the first and the longest; half of it is random


class Subscriber:
    """Watches Pub/Sub channels for an engine.

    Args:
        connections: what dials.
        receiver: returns what the engine reports to.
        take: is given the name and data of each message.
    """

    def __init__(
        self, connections: Connections, receiver: Callable[[], Receiver], take: Callable[[bytes, bytes], None]
    ) -> None:
        self._connections = connections
        self._receiver = receiver
        self._take = take
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)  # all is confirmed, or the connection is lost
        self._names: dict[bytes, None] = {}
        self._unconfirmed: set[bytes] = set()
        self._connection: Any = None
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def watch(self, names: Sequence[bytes], timeout: float) -> None:
        """Subscribe, and return when it is confirmed.

        Raises:
            BrokerUnavailableError: it was not within `timeout` seconds, or the server cannot be reached.
        """
        with self._lock:
            if self._failure is not None:
                raise unavailable(self._failure) from self._failure
            new = [name for name in names if name not in self._names or name in self._unconfirmed]
            self._names.update(dict.fromkeys(new))
            self._unconfirmed.update(new)
            if self._thread is None:
                try:
                    self._thread = start_listening(self._run, "stream_adapter.redis")
                except BrokerUnavailableError:
                    self._names.clear()
                    self._unconfirmed.clear()
                    raise
            else:
                for some in _parts_of(new):
                    self._send("SUBSCRIBE", *some)
            self._settled.wait_for(lambda: self._failure is not None or self._unconfirmed.isdisjoint(new), timeout)
            failure, is_confirmed = self._failure, self._unconfirmed.isdisjoint(new)
        if failure is not None:
            self.unwatch(names)
            raise unavailable(failure) from failure
        if not is_confirmed:
            self.unwatch(names)
            raise BrokerUnavailableError(f"the broker's engine did not confirm a subscription within {timeout:g} s")

    def unwatch(self, names: Iterable[bytes]) -> None:
        """Unsubscribe."""
        with self._lock:
            gone = [name for name in names if name in self._names]
            for name in gone:
                del self._names[name]
                self._confirm(name)
            for some in _parts_of(gone):
                self._send("UNSUBSCRIBE", *some)

    def close(self) -> None:
        """End the thread, and close the connection."""
        self._closed.set()
        with self._lock:
            connection, thread = self._connection, self._thread
            self._names.clear()
            self._unconfirmed.clear()
            self._settled.notify_all()
            if connection is not None:
                self._send("PING")  # wakes the thread, which owns the connection
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _send(self, *command: Any) -> None:
        """Send under the lock; the thread notices a connection that is lost, and makes up for it."""
        if self._connection is None:
            return
        try:
            self._connection.send_command(*command, check_health=False)
        except (RedisError, OSError):
            return

    def _run(self) -> None:
        failures = 0
        is_lost = False
        while not self._closed.is_set():
            try:
                self._open()
                if is_lost:
                    is_lost = False
                    logger.debug("broker: the subscribing connection is back")
                    self._receiver().reconnected()
                failures = 0
                self._read_on()
            except (RedisError, OSError) as error:
                self._drop(error)
                if not is_lost and not self._closed.is_set():
                    is_lost = True
                    logger.debug("broker: the subscribing connection was lost (%s); trying again", unavailable(error))
                    self._receiver().disconnected(error)
                failures += 1
                longest = min(_BACKOFF[0] * 2**failures, _BACKOFF[1])
                self._closed.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311  # spreads processes in time
            except Exception:  # noqa: BLE001  # logged; the thread must go on
                self._drop()
                logger.exception("broker: a message could not be taken; subscribing again")
                is_lost = True
                self._closed.wait(_BACKOFF[1])
        self._drop()

    def _open(self) -> None:
        """Connect, subscribe to all that is watched, and wait until each is confirmed."""
        connection = self._connections.dial(_QUIET)
        with self._lock:
            self._connection = connection
            self._failure = None
            self._unconfirmed = set(self._names)
            names = list(self._names)
        for some in _parts_of(names):
            with self._lock:
                wanted = [name for name in some if name in self._names]
                if wanted:
                    connection.send_command("SUBSCRIBE", *wanted, check_health=False)
            while not self._unconfirmed.isdisjoint(wanted[-1:]):  # confirmed in their order
                self._read_confirmation(connection)
        while self._unconfirmed:
            self._read_confirmation(connection)

    def _read_confirmation(self, connection: Any) -> None:
        self._handle(connection.read_response())

    def _confirm(self, name: bytes) -> None:
        """Count a name as confirmed; under the lock."""
        self._unconfirmed.discard(name)
        if not self._unconfirmed:
            self._settled.notify_all()

    def _drop(self, failure: Exception | None = None) -> None:
        """Close the connection; who waits for it raises the failure."""
        with self._lock:
            connection, self._connection = self._connection, None
            self._failure = failure
            self._unconfirmed = set(self._names)
            self._settled.notify_all()
        if connection is not None:
            connection.disconnect()

    def _read_on(self) -> None:
        connection = self._connection
        is_asked = False
        while not self._closed.is_set():
            try:
                message = connection.read_response(disconnect_on_error=False)
            except redis.TimeoutError:
                if is_asked:
                    raise redis.TimeoutError(f"nothing was received for {2 * _QUIET:g} s") from None
                is_asked = True
                with self._lock:
                    connection.send_command("PING", check_health=False)
            else:
                is_asked = False
                self._handle(message)

    def _handle(self, message: Any) -> None:
        if type(message) is not list or message[0] == b"pong":
            return  # the answer to PING, which is a line as long as nothing is subscribed to
        kind, name, data = cast("tuple[bytes, bytes, bytes]", message)
        if kind == b"message":
            self._take(name, data)
        elif kind == b"subscribe":
            with self._lock:
                self._confirm(name)


def _parts_of(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
