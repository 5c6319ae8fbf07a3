"""What outlives a request, on a broker: an answer that every tab joins, and news that a tab resumes.

DEMO_BROKER     the broker, such as redis://localhost:6379/0, which several processes share (default: memory://)
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from collections.abc import AsyncIterator

from stream_adapter import Broker, History, Response, sse
from stream_adapter.errors import BrokerError

from .sources import counted

__all__ = ["ask", "follow", "leaving", "live", "stop", "tick"]

ANSWER = (
    "Reload this page while I write: I go on. The server has started me once, and I am not tied to your tab. Open a "
    "second one, and it has me from my first word, and both have the same word at the same time. Close them all, come "
    "back, and see how far I have come without you. A reload has not asked me again, so it costs nothing. Choose "
    "another framework above, and it joins me in the middle of a sentence. Or press Stop: I end in every tab at once, "
    "on whichever worker I run, and what I have said so far stays."
)
CYCLE = 100_000  # numbers of the news, after which they begin again

live = Broker(os.environ.get("DEMO_BROKER", "memory://"), prefix="demo", history=History(count=400))


async def answer() -> AsyncIterator[str]:
    """Answer word by word, as a language model does."""
    for word in re.findall(r"\S+\s*", ANSWER):
        yield word
        await asyncio.sleep(0.4 if word.endswith(". ") else 0.18)


def ask() -> str | None:
    """Start the answer, or find the one that is being written, and say so to each open page."""
    run = live.run("answer", answer, if_done="restart").start()
    live.publish("news", run.id, event="asked")
    return run.id


def follow() -> Response | None:
    """Join the answer, from its start or after the last event that the client has."""
    run = live.join("answer")
    return sse(run) if run else None


def stop(run: str) -> bool:
    """Stop that answer, in whichever process it is written."""
    return live.cancel("answer", run=run)


async def leaving(visit: str) -> AsyncIterator[int]:
    """Count for a client, a minute at most, and publish how far it came."""
    number = 0
    with counted():
        try:
            for number in range(1, 301):
                yield number
                await asyncio.sleep(0.2)
        finally:
            await live.apublish("news", {"visit": visit, "number": number}, event="finally")


async def tick() -> None:
    """Publish four numbers a second. Each process does so; the key has each number published once."""
    for number in itertools.count(int(time.time() * 4)):
        await asyncio.sleep(number / 4 - time.time())
        while True:
            try:
                await live.apublish("news", number % CYCLE, key=f"tick-{number}")
                break
            except BrokerError:  # it is away; this number is published when it is back
                await asyncio.sleep(1)
