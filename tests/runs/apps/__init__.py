"""One application in every framework.

/run/<key>?n=…&pause=…&form=…   a run of n items, one each `pause` seconds; other parameters are options of `run`
/join/<key>?form=…              the run that is there, or 204
/status/<key>                   its status
/cancel/<key>/<id>              stops that run
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import stream_adapter as sa

live = sa.Broker(os.environ.get("BROKER", "memory://"), prefix="test")

_NUMBERS = ("lease", "timeout", "retain")
_CHOICES = ("on_disconnect", "if_running", "if_done")


def note(word: str) -> None:
    """Write a line into the file that all workers share."""
    path = os.environ.get("NOTES")
    if path:
        with Path(path).open("a") as file:
            file.write(f"{word}\n")


async def answer(n: int, pause: float) -> AsyncGenerator[Any]:
    note(f"called {os.getpid()}")
    try:
        for index in range(n):
            yield {"n": index, "pid": os.getpid()}
            await asyncio.sleep(pause)
    finally:
        note(f"closed {os.getpid()}")


def answer_sync(n: int, pause: float) -> Generator[Any]:
    note(f"called {os.getpid()}")
    try:
        for index in range(n):
            yield {"n": index, "pid": os.getpid()}
            time.sleep(pause)
    finally:
        note(f"closed {os.getpid()}")


def run_of(key: str, query: Mapping[str, str]) -> sa.Run:
    options: dict[str, Any] = {name: float(query[name]) for name in _NUMBERS if name in query}
    options |= {name: query[name] for name in _CHOICES if name in query}
    factory: Callable[..., Any] = answer_sync if query.get("kind") == "sync" else answer
    return live.run(key, factory, int(query.get("n", "3")), float(query.get("pause", "0")), **options)


def response_of(run: sa.Run | None, query: Mapping[str, str]) -> sa.Response:
    form = query.get("form", "sse")
    if run is None:
        return sa.Response(status_code=204)
    if form == "sse":
        return sa.sse(run, keepalive=1.0)
    if form in {"openai", "ai-sdk"}:
        return sa.sse(run, profile=form)  # type: ignore[arg-type]
    make: Callable[[sa.Run], sa.Response] = getattr(sa, form)
    return make(run)


def respond(path: str, query: Mapping[str, str]) -> sa.Response:
    """Return the response of a sync view."""
    _, action, key, *rest = path.split("/")
    if action == "run":
        return response_of(run_of(key, query), query)
    if action == "join":
        return response_of(live.join(key, float(query.get("wait", "0"))), query)
    if action == "status":
        run = live.join(key)
        return sa.Response("" if run is None else run.status)
    if action == "cancel":
        return sa.Response(str(live.cancel(key, rest[0])))
    return sa.Response(status_code=404)


async def arespond(path: str, query: Mapping[str, str]) -> sa.Response:
    """Return the response of an async view."""
    _, action, key, *rest = path.split("/")
    if action == "join":
        return response_of(await live.ajoin(key, float(query.get("wait", "0"))), query)
    if action == "cancel":
        return sa.Response(str(await live.acancel(key, rest[0])))
    return respond(path, query)
