"""What the demo streams. Each generator is written once, two of them async and two sync, and served by every framework.

A generator counts as open until its `finally` has run. When a client leaves, the page shows this number fall: that
client's generator was closed.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager

from stream_adapter import ServerSentEvent

ANSWER = (
    "A generator is a function that pauses. It yields one piece, waits until the next is wanted, and carries on "
    "where it stopped. Streaming is that idea stretched over a network: each word you are reading left the server "
    "before the next one existed. Nothing is collected first, so memory stays flat, and the first word is here as soon "
    "as there is one. Close this page, and every generator behind it is closed as well."
)
HALF = "Each word that was sent stays on the page, and the client learns that this is not the"
INTERNAL = "db-7.internal refused the password of user demo"
CITIES = ("Lisbon", "Nairobi", "Osaka", "Bergen", "Montréal", "Quito", "Hanoi", "Tbilisi", "Accra", "Wellington")
ROWS = 140
BLOCK = bytes(range(256)) * 64
SIZE = 128 * len(BLOCK)

TOTAL = {"X-Total-Rows": str(ROWS)}
ATTACHMENT = {"Content-Disposition": "attachment; filename=stream.bin", "Content-Length": str(SIZE)}

_open = set[object]()


@contextmanager
def counted() -> Generator[None]:
    """Count a generator as open, until it is closed."""
    token = object()
    _open.add(token)
    try:
        yield
    finally:
        _open.remove(token)


async def words() -> AsyncIterator[str]:
    """Answer word by word, as a language model does."""
    with counted():
        for word in re.findall(r"\S+\s*", ANSWER):
            yield word
            await asyncio.sleep(0.3 if word.endswith(". ") else 0.02 + 0.01 * len(word))


async def ticks() -> AsyncIterator[ServerSentEvent]:
    """Tick five times a second, for as long as the client listens."""
    with counted():
        for number in itertools.count():
            value = 50 + 28 * math.sin(number / 9) + 9 * math.sin(number / 2.3)
            yield ServerSentEvent({"value": round(value, 2)}, id=str(number))
            await asyncio.sleep(0.2)


def rows() -> Iterator[str]:
    """Export a table, one line of CSV at a time."""
    with counted():
        yield "order,city,amount\n"
        for number in range(1, ROWS + 1):
            time.sleep(0.05)  # a query that takes its time
            yield f"{number},{CITIES[number * 7 % len(CITIES)]},{number * 3719 % 9973 / 100:.2f}\n"


def blocks() -> Iterator[bytes]:
    """Read a file of 2 MiB from a slow disk."""
    with counted():
        for _ in range(SIZE // len(BLOCK)):
            time.sleep(0.05)
            yield BLOCK


async def failing() -> AsyncIterator[str]:
    """Answer, and fail in the middle of it."""
    with counted():
        for word in re.findall(r"\S+\s*", HALF):
            yield word
            await asyncio.sleep(0.15)
        raise ConnectionError(INTERNAL)  # which the log has, and no client


async def open_generators() -> AsyncIterator[int]:
    """Yield how many of the generators above are open, each time that it changes."""
    sent = None
    while True:
        if sent != len(_open):
            yield (sent := len(_open))
        await asyncio.sleep(0.1)
