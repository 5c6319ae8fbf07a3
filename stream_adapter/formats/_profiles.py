"""The event-stream protocols of AI services and their clients.

Each part is JSON in one event's data, and an error is a part as well. The clients read by `fetch` and never reconnect
by themselves: they need no retry and no id. They are strict where browsers are not: openai's takes every blank line
after an id or a retry for an event, whose empty data it cannot parse. So events hold data and a name at most.

A complete stream ends with `[DONE]` for OpenAI's API and the AI SDK. The other protocols end with a part that only the
source can make (`message_stop`, `RUN_FINISHED`), so their dialects add nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

import orjson

from stream_adapter._encode import Encode
from stream_adapter._json import dump_json
from stream_adapter.errors import ChunkValueError
from stream_adapter.types import JSONDumps

from ._base import PROBLEM
from ._event import ServerSentEvent, event_of, is_event
from ._published import Ending, Published
from .sse import SSE

__all__ = ["PROFILES", "Profile"]

Profile: TypeAlias = Literal["openai", "ai-sdk", "anthropic", "ag-ui"]

_TITLE = str(PROBLEM["title"])
_ENDINGS: Mapping[str, str] = MappingProxyType({"cancelled": "The run was cancelled", "lost": "The run was lost"})
_DONE = ServerSentEvent("[DONE]").encoded
_DATA = b"data: "
_FIRST_TYPE = re.compile(rb'data: \{\s*"type"\s*:\s*"(\w+)"', re.ASCII)  # where nearly every part has it
_NAME = re.compile(r"\w+", re.ASCII)


class _Dialect(SSE):
    """The base of the dialects.

    Args:
        keepalive: seconds of silence after which a comment is sent; None for never.
        json_dumps: encodes what is neither event nor text, as text or UTF-8.
    """

    done: bytes = b""

    def __init__(self, keepalive: float | None = 15.0, *, json_dumps: JSONDumps | None = None) -> None:
        super().__init__(keepalive, None, json_dumps=json_dumps)
        self.prefix: bytes = SSE.keepalive_frame  # headers would otherwise wait for the first part
        self.suffix: bytes = self.done

    def encode_of(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded."""
        if issubclass(cls, Published):
            return _encode_published_part
        return _encode_part if is_event(cls) else super().encode_of(cls)

    def error_item(self, record: object) -> ServerSentEvent:
        """Make it a part that the dialect's clients take for an error."""
        return record if isinstance(record, ServerSentEvent) else self.error_event(self.error_part(record))

    def error_record(self) -> bytes:
        """Return the part that says it failed."""
        return self.error_item(_TITLE).encoded

    def encode_ending(self, ending: Ending) -> bytes:
        """Return the part that says that a run failed; `[DONE]` says that it is done."""
        if not ending.is_failure:
            return b""
        return self.error_event(self.ending_part(ending)).encoded

    def error_event(self, part: Mapping[str, object]) -> ServerSentEvent:
        """Return the event of an error's part."""
        return ServerSentEvent(part)

    def error_part(self, record: object) -> Mapping[str, object]:
        """Return the dialect's part for an error."""
        raise NotImplementedError

    def ending_part(self, ending: Ending) -> Mapping[str, object]:
        """Return the dialect's part for a run that failed."""
        return self.error_part(_text_of(ending))


class OpenAI(_Dialect):
    """The streams of OpenAI's API: an error is `{"error": {"message": …}}`."""

    done: bytes = _DONE

    def error_part(self, record: object) -> Mapping[str, object]:
        """Put text into an error object; a mapping is one already."""
        if isinstance(record, Mapping):
            return {"error": record}  # pyright: ignore[reportUnknownVariableType]  # whatever on_error put into it
        return {"error": {"message": _text(record), "type": "server_error", "param": None, "code": None}}

    def ending_part(self, ending: Ending) -> Mapping[str, object]:
        """Say also how the run ended."""
        part = super().ending_part(ending)
        return {"error": {**part["error"], "run": ending.status}}  # type: ignore[dict-item]  # made above


class AISDK(_Dialect):
    """The UI message streams of Vercel's AI SDK, version 1: an error is `{"type": "error", "errorText": …}`."""

    done: bytes = _DONE
    headers: Mapping[str, str] = MappingProxyType({**SSE.headers, "x-vercel-ai-ui-message-stream": "v1"})

    def error_part(self, record: object) -> Mapping[str, object]:
        """Put it into an error part, whose text is all there is."""
        return {"type": "error", "errorText": _text(record)}


class Anthropic(_Dialect):
    """The messages of Anthropic's API: each event is named after its part's `type`, and silence is filled by pings."""

    keepalive_frame: bytes = ServerSentEvent({"type": "ping"}, event="ping").encoded

    def encode_of(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded: its event has the name that its part says."""
        encode = super().encode_of(cls)
        return lambda item: _named(encode(item))

    def error_event(self, part: Mapping[str, object]) -> ServerSentEvent:
        """Name it `error`, as its clients look for."""
        return ServerSentEvent(part, event="error")

    def error_part(self, record: object) -> Mapping[str, object]:
        """Put text into an error object; a mapping is one already."""
        if isinstance(record, Mapping):
            return {"type": "error", "error": cast("object", record)}
        return {"type": "error", "error": {"type": "api_error", "message": _text(record)}}

    def ending_part(self, ending: Ending) -> Mapping[str, object]:
        """Say also how the run ended."""
        return {
            "type": "error",
            "error": {"type": "api_error", "message": _text_of(ending), "run": ending.status},
        }


class AGUI(_Dialect):
    """The events of the Agent-User Interaction protocol: an error is a `RUN_ERROR`."""

    def encode_of(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded: the protocol's models by the names of its fields on the wire."""
        if not hasattr(cls, "model_dump"):
            return super().encode_of(cls)
        encode = super().encode_of(dict)
        return lambda model: encode(_fields_of(model))

    def error_part(self, record: object) -> Mapping[str, object]:
        """Put text into the event; a mapping has its fields: `message`, `code`."""
        if isinstance(record, Mapping):
            return {"type": "RUN_ERROR", **cast("Mapping[str, object]", record)}
        return {"type": "RUN_ERROR", "message": _text(record)}

    def ending_part(self, ending: Ending) -> Mapping[str, object]:
        """Say also how the run ended, as the error's code."""
        return {**super().ending_part(ending), "code": ending.status}


_fields_of: Encode = methodcaller("model_dump", mode="json", by_alias=True)
_encode_published_part: Encode = methodcaller("sse_part")


def _encode_part(item: Any) -> bytes:
    event = item if isinstance(item, ServerSentEvent) else event_of(item)
    if event.data is None or event.id is not None or event.retry is not None:
        given = [name for name in ("data", "event", "id", "retry", "comment") if getattr(event, name) is not None]
        raise ChunkValueError(
            f"profile: expected an event with data, no id and no retry, got one with {', '.join(given)}"
        )
    return event.encoded


def _named(frame: bytes) -> bytes:
    """Return a frame whose event has a name: a client of Anthropic's drops those without one.

    Raises:
        ChunkValueError: it has no name, and the part says none.
    """
    if not frame.startswith(_DATA):
        return frame  # it has one, or is empty
    first = _FIRST_TYPE.match(frame)
    return b"event: %b\n%b" % (_type_of(frame) if first is None else first[1], frame)


def _type_of(frame: bytes) -> bytes:
    """Return the `type` of the part in a frame, wherever it stands."""
    try:
        part: Any = orjson.loads(frame.removeprefix(_DATA).replace(b"\n" + _DATA, b"\n"))
    except orjson.JSONDecodeError:
        part = None
    kind: object = part.get("type") if isinstance(part, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # parsed JSON
    if not isinstance(kind, str) or _NAME.fullmatch(kind) is None:
        raise ChunkValueError('profile: expected a part with a "type", after which its event is named, got none')
    return kind.encode()


def _text_of(ending: Ending) -> str:
    """Return what a person may read of a run that did not come to its own end: a stop is not a server's failure."""
    return ending.detail or _ENDINGS.get(ending.status, _TITLE)


def _text(record: object) -> str:
    return record if isinstance(record, str) else dump_json(record).decode()


PROFILES: Mapping[str, type[_Dialect]] = MappingProxyType(
    {"openai": OpenAI, "ai-sdk": AISDK, "anthropic": Anthropic, "ag-ui": AGUI}
)
