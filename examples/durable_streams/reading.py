"""Reads: where a stream stands, what is there, what comes."""

import asyncio
import base64
import os
import random
import re
import time
from collections.abc import AsyncIterator
from datetime import datetime

from starlette.requests import Request

import stream_adapter as sa

from .answers import COMMON, answer
from .stream import Refused, Stream

__all__ = ["head", "read"]

LONG_POLL = float(os.environ.get("LONG_POLL", "20"))  # seconds
SSE_SECONDS = 60.0
FIRST_INTERVAL = datetime.fromisoformat("2024-10-09T00:00:00Z").timestamp()


async def head(_: Request, stream: Stream) -> sa.Response:
    """Tell where a stream stands."""
    limits = {"Stream-TTL": stream.made["ttl"], "Stream-Expires-At": stream.made["expires"]}
    headers = {
        "Content-Type": stream.made["type"],
        **{name: value for name, value in limits.items() if value is not None},
    }
    state = stream.state(stream.seen)
    state.pop("Stream-Up-To-Date")
    return answer(200, headers | state)


async def read(request: Request, stream: Stream) -> sa.Response:
    """Send what follows an offset: at once, or when there is some, or as events."""
    query = request.query_params
    mode, token = query.get("live"), query.get("offset")
    if len(query.getlist("offset")) > 1 or token == "" or mode not in {None, "long-poll", "sse"}:
        raise Refused(400, "offset, live: expected one offset, and 'long-poll' or 'sse'")
    if mode and token is None:
        raise Refused(400, "offset: expected one with live")
    offset = stream.offset_of(token)
    stream.used = time.time()
    if mode == "sse":
        binary = {} if stream.is_text else {"stream-sse-data-encoding": "base64"}
        events = follow(stream, offset, query.get("cursor"))
        return sa.sse(
            events, retry=None, headers={**COMMON, "Cache-Control": "no-cache, no-transform", **binary}, commit_after=0
        )
    if mode == "long-poll":
        await wait_beyond(stream, offset)
    pieces, end = stream.page(offset)
    headers = {"Content-Type": stream.made["type"], **stream.state(end)}
    if mode:
        headers["Stream-Cursor"] = cursor_after(query.get("cursor"))
        if not pieces:
            return answer(204, headers)
    if token != "now":
        etag = f'"{stream.token(offset)}:{end}{":c" if "Stream-Closed" in headers else ""}"'
        headers |= {"ETag": etag, "Cache-Control": "private, max-age=60, stale-while-revalidate=300"}
        if etag in request.headers.get("if-none-match", ""):
            return answer(304, {name: value for name, value in headers.items() if name != "Content-Type"})
    return answer(200, headers, stream.body(pieces))


async def wait_beyond(stream: Stream, offset: int) -> None:
    """Wait until there is more, the stream has ended, or it took too long."""
    try:
        async with asyncio.timeout(LONG_POLL):
            while stream.exists and not stream.is_closed and not stream.page(offset)[0]:
                await stream.changed.wait()
    except TimeoutError:
        pass


async def follow(stream: Stream, offset: int, cursor: str | None) -> AsyncIterator[sa.ServerSentEvent]:
    """Yield what follows an offset as events, each with where it leads."""
    until = time.monotonic() + SSE_SECONDS
    is_first = True
    while stream.exists:
        pieces, end = stream.page(offset)
        if pieces:
            body = stream.body(pieces)
            yield sa.ServerSentEvent(
                body.decode(errors="replace") if stream.is_text else base64.b64encode(body).decode(), "data"
            )
        if pieces or is_first or stream.is_closed:
            control: dict[str, object] = {"streamNextOffset": stream.token(end)}
            if end == stream.seen:
                control["upToDate"] = True
            if end == stream.seen and stream.is_closed:
                yield sa.ServerSentEvent({**control, "streamClosed": True}, "control")
                return
            cursor = cursor_after(cursor)
            yield sa.ServerSentEvent({**control, "streamCursor": cursor}, "control")
        offset, is_first = end, False
        if end == stream.seen:
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await stream.changed.wait()
            except TimeoutError:
                return  # the client comes back, and caches can join it with others


def cursor_after(given: str | None) -> str:
    """Return the number of the present interval of 20 s, or one after the client's: no cache answers in a circle."""
    now = int((time.time() - FIRST_INTERVAL) // 20)
    if given is None or not re.fullmatch("[0-9]{1,15}", given) or int(given) < now:
        return str(now)
    return str(int(given) + random.randint(1, 180))
