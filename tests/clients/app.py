"""What the clients speak to: plain ASGI, under uvicorn.

/case/<name>      the items of a case, and an event `over`
/kept-alive       two events with an id, with comments before, between and after them, and an event `over`
/resume/<key>     nine events, three per connection
/log/<key>        what was asked for under this key: [Last-Event-ID, whether the source was started]
/parts/<profile>  as its query asks, the parts of a profile's stream
/collect.mjs      what a page reads them with
/                 a page
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import stream_adapter as sa
from stream_adapter.integration import RequestHead
from stream_adapter.types import Message, Receive, Scope, Send
from tests.clients.cases import CASES
from tests.clients.parts import parts

_COLLECT = Path(__file__).parents[1] / "support" / "node" / "collect.mjs"
_SMALL = 10_000

_log: defaultdict[str, list[list[Any]]] = defaultdict(list)


async def _resumed(last: str | None, entry: list[Any]) -> AsyncIterator[sa.ServerSentEvent]:
    entry[1] = True
    first = int(last or 0) + 1
    for number in range(first, first + 3):
        yield sa.ServerSentEvent(number, id=str(number))
    if first < 7:
        raise ConnectionError("the connection of every client breaks")


async def _with_comments(silence: asyncio.Event) -> AsyncIterator[sa.ServerSentEvent]:
    yield sa.ServerSentEvent(comment="only")
    for number in (1, 2):
        for _ in range(2):
            await silence.wait()
            silence.clear()
        yield sa.ServerSentEvent({"n": number}, id=str(number), comment="of an event")
    for _ in range(2):
        await silence.wait()
        silence.clear()


def _response(head: RequestHead, scope: Scope, silence: asyncio.Event) -> sa.Response:
    match scope["path"].strip("/").split("/"):
        case ["case", name]:
            return sa.sse(CASES[name].items, end="over")
        case ["kept-alive"]:
            return sa.sse(_with_comments(silence), keepalive=0.02, commit_after=0, end="over")
        case ["resume", key]:
            entry = [head.last_event_id, False]
            _log[key].append(entry)
            return sa.sse(_resumed(head.last_event_id, entry), retry=1, end="done")
        case ["log", key]:
            return sa.Response({"log": _log[key]})
        case ["parts", profile, *rest]:
            return parts(profile, "/".join(rest), silence, fails=parse_qs(head.query).get("fails") == ["1"])
        case ["collect.mjs"]:
            return sa.text(_COLLECT.read_text(), media_type="text/javascript")
        case _:
            return sa.html("<!doctype html>")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a page."""

    silence = asyncio.Event()

    async def send_byte_by_byte(message: Message) -> None:
        body: bytes = message.get("body", b"")
        if body.startswith((b":", b"event: ping")):
            silence.set()
        if len(body) > _SMALL or message["type"] != "http.response.body":
            await send(message)
            return
        for start in range(len(body)):
            await send({**message, "body": body[start : start + 1], "more_body": True})
        if not message["more_body"]:
            await send({**message, "body": b""})

    await _response(RequestHead.from_scope(scope), scope, silence).asgi(scope, receive, send_byte_by_byte)
