"""What a channel's events make of a stream."""

import asyncio
import base64
import json
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import stream_adapter as sa

__all__ = ["JSON", "Refused", "Stream", "essence", "live"]

DAY = 86_400.0
EVENTS = 1000  # of a stream
PIECE = 512 << 10  # bytes of one event
PAGE = 1 << 20  # bytes of one answer
PATIENCE = 5.0  # seconds until what was published has been read
JSON = "application/json"

live = sa.Broker(os.environ.get("BROKER", "memory://"), history=sa.History(count=EVENTS, age=DAY, bytes=64 << 20))


class Refused(Exception):
    """The answer is an error."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def essence(media_type: str) -> str:
    """Return a media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def parts_of(body: bytes) -> Iterator[bytes]:
    """Yield a body in pieces, which end between two characters of UTF-8."""
    while len(body) > PIECE:
        cut = next((at for at in range(PIECE, PIECE - 4, -1) if body[at] & 0xC0 != 0x80), PIECE)
        yield body[:cut]
        body = body[cut:]
    yield body


class Stream:
    """What a channel's events make of a stream. One task of each process reads them; requests wait for `changed`."""

    def __init__(self, path: str) -> None:
        self.channel = f"durable:{path}"
        self.lock = asyncio.Lock()  # of the writers of this process
        self.changed = asyncio.Event()
        self.seen = 0  # the newest event that was read
        self.epoch = ""
        self.reader: asyncio.Task[None] | None = None
        self.users = 0  # requests
        self._begin(None)

    def _begin(self, made: dict[str, Any] | None, born: float = 0.0) -> None:
        self.exists = made is not None
        self.made = made or {}
        self.start = self.seen  # offset of its beginning
        self.pieces: list[tuple[int, Any]] = []  # what was appended, each with its offset
        self.closed_by: object = None
        self.is_closed = False
        self.seq = ""
        self.producers: dict[str, tuple[int, int]] = {}
        self.born = born
        self.used = time.time()

    async def load(self) -> None:
        """Read what was published until now, and delete a stream whose time is over."""
        await self.wait_for(await live.alast_event_id(self.channel))
        if self.exists and time.time() > self.expires_at():
            await self.publish({"do": "delete"})

    def expires_at(self) -> float:
        """Return when its time is over, in seconds since 1970."""
        ttl, expires = self.made["ttl"], self.made["expires"]
        if expires is not None:
            return min(self.born + DAY, datetime.fromisoformat(expires).timestamp())
        return self.born + DAY if ttl is None else min(self.born + DAY, self.used + int(ttl))

    async def wait_for(self, event_id: str) -> None:
        """Wait until an event was read."""
        epoch, _, offset = event_id.rpartition(".")
        if int(offset) == 0:
            return
        if self.reader is None or self.reader.done():
            self.reader = asyncio.create_task(self._read())
        async with asyncio.timeout(PATIENCE):
            while self.epoch != epoch or self.seen < int(offset):
                await self.changed.wait()

    async def _read(self) -> None:
        while True:
            async for event in live.subscribe(self.channel, since="earliest"):
                if event.event == "stream-reset":  # the broker lost it: begin again with what there is
                    break
                self.epoch, _, offset = event.id.rpartition(".")
                self.seen = int(offset)
                self._apply(event.data, event.time)
                self.changed.set()
                self.changed = asyncio.Event()
            self._begin(None)

    def _apply(self, event: dict[str, Any], at: float) -> None:
        if event["do"] != "append":
            self._begin(event if event["do"] == "create" else None, at)
        if "data" in event:
            self.pieces.append((self.seen, event["data"]))
        if producer := event.get("producer"):
            self.producers[producer[0]] = (producer[1], producer[2])
        self.seq = event.get("seq") or self.seq
        if event.get("close"):
            self.is_closed, self.closed_by = True, producer
        self.used = time.time()

    async def publish(self, *events: dict[str, Any]) -> None:
        """Publish, in one step, and wait until this process has read it."""
        if events[0]["do"] == "append" and self.seen - self.start + len(events) >= EVENTS:
            raise Refused(413, "the stream is full")
        await self.wait_for((await live.apublish_many(self.channel, events))[-1])

    @property
    def is_json(self) -> bool:
        """Return True if it holds JSON messages."""
        return essence(self.made["type"]) == JSON

    @property
    def is_text(self) -> bool:
        """Return True if events can carry it as it is."""
        return self.is_json or essence(self.made["type"]).startswith("text/")

    def token(self, offset: int) -> str:
        """Return an offset as clients see it: in the order of the alphabet."""
        return f"{self.epoch}_{offset:016d}"

    def offset_of(self, token: str | None) -> int:
        """Return the offset that a client sends."""
        if token is None or token == "-1":
            return self.start
        if token == "now":
            return self.seen
        match = re.fullmatch(r"([\w-]+)_([0-9]{16})", token, re.ASCII)
        if match is None:
            raise Refused(400, "offset: expected one of this stream's")
        if match[1] != self.epoch or int(match[2]) < self.start:
            raise Refused(410, "offset: the stream was made again since")
        return min(int(match[2]), self.seen)

    def page(self, offset: int) -> tuple[list[Any], int]:
        """Return what follows an offset, up to a page, and where that ends."""
        pieces: list[Any] = []
        size = 0
        for at, piece in self.pieces:
            if at > offset:
                pieces.append(piece)
                size += len(piece) if isinstance(piece, str) else sum(map(len, piece))
                if size >= PAGE:
                    return pieces, at
        return pieces, self.seen

    def body(self, pieces: list[Any]) -> bytes:
        """Return pieces as the bytes that they are of."""
        if self.is_json:
            return f"[{','.join(message for piece in pieces for message in piece)}]".encode()
        return b"".join(map(base64.b64decode, pieces))

    def state(self, offset: int) -> dict[str, str]:
        """Return the headers of an answer that ends at an offset."""
        headers = {"Stream-Next-Offset": self.token(offset)}
        if offset == self.seen:
            headers |= {"Stream-Up-To-Date": "true"} | ({"Stream-Closed": "true"} if self.is_closed else {})
        return headers

    def pack(self, body: bytes, *, may_be_empty: bool) -> list[dict[str, Any]]:
        """Return the events that append a body."""
        if not self.is_json:
            return [{"do": "append", "data": base64.b64encode(part).decode()} for part in parts_of(body)]
        try:
            value = json.loads(body, parse_constant=lambda name: json.loads(""))
        except (ValueError, RecursionError):
            raise Refused(400, "body: expected JSON") from None
        messages = [json.dumps(message) for message in (value if isinstance(value, list) else [value])]
        if not messages and not may_be_empty:
            raise Refused(400, "body: expected messages, got an empty array")
        if sum(map(len, messages)) > PIECE:
            raise Refused(413, f"body: expected at most {PIECE} bytes")
        return [{"do": "append", "data": messages}] if messages else []
