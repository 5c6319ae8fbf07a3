"""Create, append, close, delete."""

import re
from datetime import datetime
from typing import Any

from starlette.requests import Request

import stream_adapter as sa

from .answers import answer
from .stream import Refused, Stream, essence

__all__ = ["append", "create", "delete"]


async def create(request: Request, stream: Stream) -> sa.Response:
    """Make a stream, or confirm that it is there as it is asked for."""
    headers = request.headers
    if "stream-forked-from" in headers:
        raise Refused(501, "forks are not here")
    ttl, expires = headers.get("stream-ttl"), headers.get("stream-expires-at")
    if ttl is not None and (expires is not None or re.fullmatch("0|[1-9][0-9]{0,9}", ttl) is None):
        raise Refused(400, "Stream-TTL: expected whole seconds, and no Stream-Expires-At with it")
    if expires is not None:
        try:
            datetime.fromisoformat(expires).timestamp()
        except ValueError:
            raise Refused(400, "Stream-Expires-At: expected a moment of RFC 3339") from None
    made: dict[str, Any] = {
        "do": "create",
        "type": headers.get("content-type") or "application/octet-stream",
        "ttl": ttl,
        "expires": expires,
    }
    body = await request.body()
    async with stream.lock:
        status = 200
        if stream.exists:
            same = all(made[name] == stream.made[name] for name in ("ttl", "expires"))
            if (
                not same
                or essence(made["type"]) != essence(stream.made["type"])
                or is_true(request) != stream.is_closed
            ):
                raise Refused(409, "the stream is there, and is another")
        else:
            status, stream.made = 201, made
            events: list[dict[str, Any]] = [made, *(stream.pack(body, may_be_empty=True) if body else [])]
            events[-1] = {**events[-1], "close": is_true(request)}
            await stream.publish(*events)
        found = {"Location": str(request.url), "Content-Type": stream.made["type"], **stream.state(stream.seen)}
    found.pop("Stream-Up-To-Date")
    return answer(status, found)


def producer_of(request: Request) -> tuple[str, int, int] | None:
    """Return who appends, in which of its epochs, and the number of the append there."""
    given = [request.headers.get(f"producer-{name}") for name in ("id", "epoch", "seq")]
    if given == [None, None, None]:
        return None
    if not given[0] or not all(
        re.fullmatch("[0-9]{1,16}", value or "") and int(value or 0) < 1 << 53 for value in given[1:]
    ):
        raise Refused(400, "Producer-Id, Producer-Epoch and Producer-Seq: expected all, with whole numbers")
    return given[0], int(given[1] or 0), int(given[2] or 0)


def is_repeated(stream: Stream, producer: tuple[str, int, int]) -> bool:
    """Return True if a producer sends again what was appended."""
    name, epoch, seq = producer
    last_epoch, last_seq = stream.producers.get(name, (epoch, -1))
    if epoch < last_epoch:
        raise Refused(403, "Producer-Epoch: another began since", Producer_Epoch=str(last_epoch))
    if epoch > last_epoch:
        if seq:
            raise Refused(400, "Producer-Seq: expected 0 in a new epoch")
        return False
    if seq > last_seq + 1:
        expected = {"Producer_Expected_Seq": str(last_seq + 1), "Producer_Received_Seq": str(seq)}
        raise Refused(409, "Producer-Seq: some before it are missing", **expected)
    return seq <= last_seq


async def append(request: Request, stream: Stream) -> sa.Response:
    """Append a body, close the stream, or both in one step."""
    body, close, producer = await request.body(), is_true(request), producer_of(request)
    kind, seq = request.headers.get("content-type"), request.headers.get("stream-seq")
    if not body and not close:
        raise Refused(400, "body: expected bytes to append, or Stream-Closed: true")
    if body and not kind:
        raise Refused(400, "Content-Type: expected that of the stream, got none")
    async with stream.lock:
        status = 204
        if stream.is_closed:
            is_same = list(producer) == stream.closed_by if producer else not body
            if not is_same or (not close and producer is None):
                raise Refused(
                    409, "the stream is closed", Stream_Closed="true", Stream_Next_Offset=stream.token(stream.seen)
                )
        elif producer is not None and is_repeated(stream, producer):
            pass
        else:
            if body and essence(kind or "") != essence(stream.made["type"]):
                raise Refused(409, f"Content-Type: expected {stream.made['type']}")
            if seq is not None and seq.encode() <= stream.seq.encode():
                raise Refused(409, f"Stream-Seq: expected one after {stream.seq}")
            events: list[dict[str, Any]] = stream.pack(body, may_be_empty=False) if body else [{"do": "append"}]
            events[-1] |= {"close": close, "seq": seq, "producer": producer}
            await stream.publish(*events)
            status = 200 if producer and body else 204
        headers = {"Stream-Next-Offset": stream.token(stream.seen)} | (
            {"Stream-Closed": "true"} if stream.is_closed else {}
        )
        if producer:
            headers |= {"Producer-Epoch": str(producer[1]), "Producer-Seq": str(stream.producers[producer[0]][1])}
    return answer(status, headers)


async def delete(_: Request, stream: Stream) -> sa.Response:
    """Delete a stream."""
    async with stream.lock:
        await stream.publish({"do": "delete"})
    return answer(204, {})


def is_true(request: Request) -> bool:
    """Return True if the request asks for a closed stream."""
    return request.headers.get("stream-closed", "").lower() == "true"
