"""What a source may do beyond being iterated: differ by request, be polled, look into its store before the head."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from ._request import RequestHead

__all__ = ["OpenedSource", "Opener", "PolledSource", "RequestSource"]


class Opener(ABC):
    """What opens a stream per request, which continues after the last item that the client received.

    Attributes:
        decides_status: whether its beginning may be a refusal that the status must say, so that the status waits for
            it, however long that takes.
    """

    __slots__ = ()
    decides_status: bool = False

    @abstractmethod
    def for_request(self, head: RequestHead) -> object:
        """Return the content for a request. Nothing is begun: it may be closed without being iterated."""


Opener_co = TypeVar("Opener_co", bound=Opener, covariant=True)


class RequestSource(Generic[Opener_co]):
    """A source with a stream per request: the base of public objects, which show nothing of how they are opened."""

    __slots__ = ("_opener",)

    def __init__(self, opener: Opener_co) -> None:
        self._opener = opener


class PolledSource(ABC):
    """An async source that can also be read without a task, on one loop: see `_pump.producers.polled`."""

    __slots__ = ()
    has_more: bool

    @abstractmethod
    def begin(self, changed: Callable[[], None], start: Callable[[Any], asyncio.Task[Any]]) -> None:
        """Begin: `changed` is called on the loop where there is more; `start` runs a coroutine."""

    @abstractmethod
    def poll(self) -> Sequence[object] | None:
        """Return what is ready; nothing if one must wait, None at the end."""

    @abstractmethod
    def close(self) -> None:
        """End what `begin` has begun."""


class OpenedSource(ABC):
    """A source that queries a store before the head of the response is final: there may be nothing to send."""

    __slots__ = ()

    @abstractmethod
    def open(self) -> bool:
        """Ask, in a thread; return False if the client has all of it: the response is a 204.

        Raises:
            RefusalError: the response has another status.
        """

    @abstractmethod
    async def aopen(self) -> bool:
        """Ask on an event loop; as `open`."""
