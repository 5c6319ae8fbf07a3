r"""The bytes of a published event, as an engine stores them.

    kind, meta, b"\n", data      j{"e":"order"}\n{"state":"paid"}

The kind is `j` for JSON, `t` for text, `n` for none; the meta is empty, or a JSON object with the event's name (`e`),
its retry (`r`) and its comment (`c`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from stream_adapter._encode import explain, kind_of
from stream_adapter._json import dump_json
from stream_adapter._remedies import name_of
from stream_adapter._text import as_text
from stream_adapter.errors import ChunkEncodingError
from stream_adapter.formats import ServerSentEvent
from stream_adapter.formats._event import event_of, is_event

__all__ = ["ENDING", "MAX_BYTES", "Parts", "pack", "replaced", "unpack"]

MAX_BYTES = 1 << 20  # of an event's data
_MAX_META = 8192  # bytes of its name and comment
ENDING = b"x"  # the kind of a run's last record, whose meta says how it ended
_RESERVED = frozenset({"stream-open", "stream-reset", "stream-end"})


class Parts(NamedTuple):
    """The parts of a payload."""

    kind: bytes
    data: bytes
    event: str | None
    retry: int | None
    comment: str | None


def pack(data: object, event: str | None) -> bytes:
    """Encode what is published.

    Raises:
        ChunkEncodingError: it is neither an event nor text nor a JSON value.
        ValueError: it is too large, an event has two names, or one that the stream uses itself.
    """
    if event is None:  # most have none: where the type says all, nothing else is to be asked
        if data.__class__ is dict or data.__class__ is list:
            return b"j\n" + _fitting(dump_json(data))
        if type(data) is str:
            return b"t\n" + _fitting(_encoded_text(data, data))
    retry = comment = None
    if is_event(data.__class__):
        given = data if isinstance(data, ServerSentEvent) else event_of(data)
        if event is not None:
            raise ValueError("event: expected None with a ServerSentEvent, which has its own; got both")
        data, event, retry, comment = given.data, given.event, given.retry, given.comment
        kind, encoded = (b"n", b"") if data is None else _encoded(data)
    else:
        kind, encoded = _encoded(data)
        if event is not None:
            event = ServerSentEvent(event=event).event  # checks it
    if event in _RESERVED:
        raise ValueError(f"event: expected a name that streams do not use themselves, got {event!r}")
    fields = {name: value for name, value in (("e", event), ("r", retry), ("c", comment)) if value is not None}
    meta = orjson.dumps(fields) if fields else b""
    if len(meta) > _MAX_META:
        raise ValueError(f"event: expected at most {_MAX_META} bytes for an event's name and comment, got {len(meta)}")
    return _joined(kind, meta, _fitting(encoded))


def replaced(payload: bytes, data: object) -> bytes:
    """Return a payload that has data with other data, for one listener: text if it was text and is, JSON otherwise."""
    head, _, _ = payload.partition(b"\n")
    if head[:1] == b"t" and isinstance(data, str):
        return _joined(b"t", head[1:], data.encode())
    return _joined(b"j", head[1:], dump_json(data))


def _joined(kind: bytes, meta: bytes, encoded: bytes) -> bytes:
    return b"%b%b\n%b" % (kind, meta, encoded)


def _fitting(encoded: bytes) -> bytes:
    """Return what is not too large."""
    if len(encoded) > MAX_BYTES:
        raise ValueError(f"data: expected at most {MAX_BYTES} bytes, got {len(encoded)}")
    return encoded


def _encoded_text(text: str, data: object) -> bytes:
    try:
        return str.encode(text)
    except UnicodeEncodeError as error:
        problem = explain(error, data, None)
        raise problem from problem.__cause__


def _encoded(data: Any) -> tuple[bytes, bytes]:
    cls: type[Any] = data.__class__
    text = as_text(data)
    if isinstance(text, str):
        return b"t", _encoded_text(text, data)
    if kind_of(cls) == "bytes":
        raise ChunkEncodingError(
            f"data: expected a ServerSentEvent, text or a JSON value, got {name_of(cls)}; decode it first"
        )
    return b"j", dump_json(data)


def unpack(payload: bytes) -> Parts:
    """Return the parts of a payload. One that this library did not write is an event without data."""
    head, found, data = payload.partition(b"\n")
    kind, meta = head[:1], head[1:]
    if not found or kind not in {b"j", b"t", b"n"}:
        return Parts(b"n", b"", None, None, None)
    fields: dict[str, Any] = orjson.loads(meta) if meta else {}
    return Parts(kind, data, fields.get("e"), fields.get("r"), fields.get("c"))
