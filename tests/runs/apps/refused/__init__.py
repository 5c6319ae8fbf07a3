"""Applications whose views ask a broker whose engine is away, or for a run that conflicts with another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from stream_adapter import Broker

__all__ = ["ASYNC_WAYS", "WAYS", "away", "present"]

away = Broker("sqlite:////nonexistent/broker.db")
present = Broker()


async def answer() -> AsyncGenerator[str]:
    yield "begun"
    await asyncio.sleep(3600)


def conflict() -> Any:
    present.run("one", answer).start()
    return present.run("one", answer, if_running="reject").start()


async def aconflict() -> Any:
    await present.run("one", answer).astart()
    return await present.run("one", answer, if_running="reject").astart()


WAYS: dict[str, Callable[[], Any]] = {
    "start": lambda: away.run("one", answer).start(),
    "join": lambda: away.join("one"),
    "cancel": lambda: away.cancel("one", away.join("one", wait=0.1).id or ""),  # type: ignore[union-attr]  # raises
    "produce": lambda: away.produce("one", answer()),
    "conflict": conflict,
}
ASYNC_WAYS: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
    "start": lambda: away.run("one", answer).astart(),
    "join": lambda: away.ajoin("one"),
    "conflict": aconflict,
}
