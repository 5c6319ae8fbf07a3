"""Sources that tell what became of them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Generator, Iterable, Iterator


class CountingSource(Iterator[object]):
    """A sync iterator that counts its steps and its closes. An item that is an exception is raised."""

    def __init__(self, items: Iterable[object] = ()) -> None:
        self._items = iter(items)
        self.steps = 0
        self.closes = 0
        self.threads: set[int] = set()

    def __next__(self) -> object:
        self.steps += 1
        self.threads.add(threading.get_ident())
        item = next(self._items)
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        self.closes += 1
        self.threads.add(threading.get_ident())


class AsyncCountingSource(AsyncIterator[object]):
    """An async iterator that counts its steps and its closes. An item that is an exception is raised."""

    def __init__(self, items: Iterable[object] = ()) -> None:
        self._items = iter(items)
        self.steps = 0
        self.closes = 0
        self.threads: set[int] = set()

    async def __anext__(self) -> object:
        self.steps += 1
        self.threads.add(threading.get_ident())
        for item in self._items:
            if isinstance(item, BaseException):
                raise item
            return item
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closes += 1
        self.threads.add(threading.get_ident())


async def as_async(items: Iterable[object]) -> AsyncIterator[object]:
    """Iterate a sync generator that never waits, as an async one; closing it closes the other."""
    try:
        for item in items:
            yield item
    finally:
        if isinstance(items, Generator):
            items.close()


def in_way(way: str, items: Iterable[object]) -> object:
    """Give `items` as a sync or an async source."""
    return items if way == "sync" else as_async(items)
