"""Events of channels, in every format. A record is encoded once for each, and shared by all listeners of a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from stream_adapter._encode import Encode
from stream_adapter._json import dump_json
from stream_adapter.engines import Entry
from stream_adapter.formats import ServerSentEvent
from stream_adapter.formats._event import lines_of
from stream_adapter.formats._published import Opening, Published

from ._ids import ChannelName
from ._payloads import Parts, replaced, unpack

__all__ = ["Control", "Delivery", "Event", "Record", "StreamOpen"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a channel, as Python code reads it.

    Attributes:
        data: what was published, as JSON carries it; text is text.
        event: its name, or None. "stream-reset" says that events were lost, "snapshot" carries the state.
        id: the cursor after it; with several channels, of all of them.
        channel: where it was published; None for an event of the subscription itself that is of several channels.
        time: seconds since 1970, when it was published.
    """

    __module__ = "stream_adapter"

    data: Any
    event: str | None
    id: str
    channel: str | None
    time: float


class Record(Published):
    """One event in a ring, and its encoded forms, each made when it is first asked for."""

    __slots__ = ("_encoded", "_json", "_part", "_parts", "_sse", "_sse_ends", "entry", "epoch", "name")

    def __init__(self, name: ChannelName, epoch: str, entry: Entry) -> None:
        self.name = name
        self.epoch = epoch
        self.entry = entry
        self._sse: bytes | None = None
        self._part: bytes | None = None
        self._parts: Parts | None = None
        self._sse_ends: tuple[bytes, bytes] | None = None
        self._json: bytes | None = None
        self._encoded: dict[object, bytes] | None = None

    @property
    def id(self) -> str:
        """Its id, with which a listener of its channel alone goes on."""
        return self.name.id_of(self.epoch, self.entry.offset)

    @property
    def size(self) -> int:
        """The bytes for which it counts in a ring."""
        return len(self.entry.payload)

    @property
    def parts(self) -> Parts:
        """The parts of its payload."""
        if self._parts is None:
            self._parts = unpack(self.entry.payload)
        return self._parts

    def sse(self) -> bytes:
        """Return it as a server-sent event; the same bytes for all listeners."""
        encoded = self._sse
        if encoded is None:
            encoded = self._sse = self.sse_with(self.id)
        return encoded

    def sse_with(self, event_id: str) -> bytes:
        """Return it as a server-sent event with another id."""
        payload = self.entry.payload
        if _is_one_line(payload):
            return b"id: %b\ndata: %b\n\n" % (event_id.encode(), payload[2:])
        if self._sse_ends is None:
            self._sse_ends = _sse_ends(self.parts)
        before, after = self._sse_ends
        return b"%bid: %b\n%b" % (before, event_id.encode(), after)

    def sse_part(self) -> bytes:
        """Return it as a part of a profile, whose clients know neither id nor retry; nothing if it has no data.

        These are the same bytes for all listeners, too.
        """
        encoded = self._part
        if encoded is None:
            payload = self.entry.payload
            if _is_one_line(payload):
                encoded = b"data: %b\n\n" % payload[2:]
            elif self.parts.kind == b"n":
                encoded = b""
            else:
                encoded = b"".join(_sse_ends(self.parts._replace(retry=None)))
            self._part = encoded
        return encoded

    def chunk(self) -> str:
        """Return its data as text."""
        return self.parts.data.decode()

    def json(self, key: object, encode: Encode) -> bytes:
        """Return it as an item of a JSON format; the same bytes for all calls with the same key."""
        if key is None:
            return encode(self.json_value(self.id, None, plain=True))
        if self._encoded is None:
            self._encoded = {}
        encoded = self._encoded.get(key)
        if encoded is None:
            encoded = self._encoded[key] = encode(self.json_value(self.id, None, plain=False))
        return encoded

    def json_value(self, event_id: str, channel: str | None, *, plain: bool) -> object:
        """Return the value of a JSON item: encoded already, but for users' own encoders."""
        parts = self.parts
        if plain:
            return _item(event_id, parts.event, self.data, channel)
        if self._json is None:
            name = b"" if parts.event is None else b',"event":' + orjson.dumps(parts.event)
            self._json = b'%b,"data":%b' % (name, _data_json(parts))
        last = b"" if channel is None else b',"channel":' + orjson.dumps(channel)
        return orjson.Fragment(b'{"id":"%b"%b%b}' % (event_id.encode(), self._json, last))

    @property
    def data(self) -> Any:
        """What was published, decoded."""
        kind, data = self.parts[:2]
        return orjson.loads(data) if kind == b"j" else data.decode() if kind == b"t" else None

    def with_data(self, change: Callable[[Any], Any]) -> Record:
        """Return a record of its own, whose data is text if it was, and JSON otherwise."""
        if self.parts.kind not in {b"j", b"t"}:
            return self
        payload = replaced(self.entry.payload, change(self.data))
        return Record(self.name, self.epoch, self.entry._replace(payload=payload))

    def event(self, event_id: str | None = None) -> Event:
        """Return it for Python code, which may change the data: each caller has its own."""
        return Event(self.data, self.parts.event, event_id or self.id, self.name.public, self.entry.time)


def _is_one_line(payload: bytes) -> bool:
    """Return True for a payload without a meta, whose data is one line: JSON, or such a text."""
    kind = payload[:2]
    if kind == b"t\n":
        return len(payload) > 2 and payload.find(b"\n", 2) < 0 and b"\r" not in payload
    return kind == b"j\n"


def _data_json(parts: Parts) -> bytes:
    if parts.kind == b"j":
        return parts.data
    return orjson.dumps(parts.data.decode()) if parts.kind == b"t" else b"null"


def _sse_ends(parts: Parts) -> tuple[bytes, bytes]:
    """Return the bytes before the id, and those after it."""
    before = "" if parts.comment is None else lines_of(": ", parts.comment)
    if parts.event is not None:
        before += f"event: {parts.event}\n"
    after = b"" if parts.retry is None else b"retry: %d\n" % parts.retry
    if parts.kind == b"j":
        after += b"data: %b\n" % parts.data
    elif parts.kind == b"t":
        after += lines_of("data: ", parts.data.decode()).encode()
    return before.encode(), after + b"\n"


def _item(event_id: str | None, event: str | None, data: object, channel: str | None) -> dict[str, object]:
    item: dict[str, object] = {} if event_id is None else {"id": event_id}
    if event is not None:
        item["event"] = event
    item["data"] = data
    if channel is not None:
        item["channel"] = channel
    return item


class Delivery(Published):
    """A record to a listener of several channels: with the joined id, and its channel's name."""

    __slots__ = ("_id", "_record")

    def __init__(self, record: Record, event_id: str) -> None:
        self._record = record
        self._id = event_id

    def sse(self) -> bytes:
        """Return it with the joined id."""
        return self._record.sse_with(self._id)

    def sse_part(self) -> bytes:
        """Return it without an id."""
        return self._record.sse_part()

    def json(self, key: object, encode: Encode) -> bytes:
        """Return it with the joined id and its channel."""
        return encode(self._record.json_value(self._id, self._record.name.public, plain=key is None))

    def with_data(self, change: Callable[[Any], Any]) -> Delivery:
        """Return it with other data."""
        return Delivery(self._record.with_data(change), self._id)

    def event(self) -> Event:
        """Return it for Python code."""
        return self._record.event(self._id)


class Control(Published):
    """An event of the subscription itself: a reset, or a snapshot.

    Args:
        name: the event's.
        data: anything JSON; text is text.
        event_id: where the stream goes on after it; None keeps the client's.
        time: seconds since 1970.
        channel: whose it is, where several are subscribed.
    """

    __slots__ = ("_channel", "_data", "_id", "_name", "_time")

    def __init__(self, name: str, data: object, event_id: str | None, time: float, channel: str | None = None) -> None:
        self._name = name
        self._data = data
        self._id = event_id
        self._time = time
        self._channel = channel

    def sse(self) -> bytes:
        """Return it as a server-sent event."""
        data = "null" if self._data is None else self._data  # clients drop an event without a line of data
        return ServerSentEvent(data, event=self._name, id=self._id).encoded

    def sse_part(self) -> bytes:
        """Return nothing: profiles have no such parts."""
        return b""

    def json(self, key: object, encode: Encode) -> bytes:
        """Return it as an item."""
        del key
        return encode(_item(self._id, self._name, self._data, self._channel))

    def with_data(self, change: Callable[[Any], Any]) -> Control:
        """Return a snapshot with other data; what the stream says of itself stays."""
        if self._name != "snapshot":
            return self
        return Control(self._name, change(self._data), self._id, self._time, self._channel)

    def event(self) -> Event:
        """Return it for Python code."""
        data = self._data if isinstance(self._data, str) else orjson.loads(dump_json(self._data))
        return Event(data, self._name, self._id or "", self._channel, self._time)


class StreamOpen(Opening):
    """The first record of a stream: its position, for a client without a cursor; empty for any other.

    Args:
        position: the joined id; None sends nothing.
        event_id: the client's cursor from now on; None keeps it without one, until a snapshot brings it.
    """

    __slots__ = ("_control",)

    def __init__(self, position: str | None = None, event_id: str | None = None) -> None:
        opening = None if position is None else Control("stream-open", {"position": position}, event_id, 0.0)
        self._control = opening

    def sse(self) -> bytes:
        """Return it as a server-sent event."""
        return b"" if self._control is None else self._control.sse()

    def sse_part(self) -> bytes:
        """Return nothing."""
        return b""

    def json(self, key: object, encode: Encode) -> bytes:
        """Return it as an item."""
        return b"" if self._control is None else self._control.json(key, encode)
