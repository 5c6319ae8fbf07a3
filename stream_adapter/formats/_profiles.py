"""The dialects of event streams that AI services and their clients speak.

Each part is JSON in one event's data, `[DONE]` ends a complete stream, and an error is a part as well. The clients read
by `fetch` and never reconnect: they need no retry and no id, and never resume. They are strict where browsers are not:
openai's takes every blank line after an id or a retry for an event, whose empty data it cannot parse. So events hold
data and a name at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from stream_adapter._encode import Encode
from stream_adapter._json import dump_json
from stream_adapter.errors import ChunkValueError
from stream_adapter.types import JSONDumps

from ._base import PROBLEM
from ._event import ServerSentEvent, event_of, is_event
from ._published import Ending, Published
from .sse import SSE

__all__ = ["PROFILES", "Profile"]

Profile: TypeAlias = Literal["openai", "ai-sdk"]

_TITLE = str(PROBLEM["title"])


class _Dialect(SSE):
    """The base of the dialects.

    Args:
        keepalive: seconds of silence after which a comment is sent; None for never.
        json_dumps: encodes what is neither event nor text, as text or UTF-8.
    """

    def __init__(self, keepalive: float | None = 15.0, *, json_dumps: JSONDumps | None = None) -> None:
        super().__init__(keepalive, None, json_dumps=json_dumps)
        self.prefix: bytes = self.keepalive_frame  # headers would otherwise wait for the first part
        self.suffix: bytes = ServerSentEvent("[DONE]").encoded

    def encode_of(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded."""
        if issubclass(cls, Published):
            return _encode_published_part
        return _encode_part if is_event(cls) else super().encode_of(cls)

    def error_item(self, record: object) -> ServerSentEvent:
        """Make it a part that the dialect's clients take for an error."""
        return record if isinstance(record, ServerSentEvent) else ServerSentEvent(self.error_part(record))

    def error_record(self) -> bytes:
        """Return the part that says it failed."""
        return self.error_item(_TITLE).encoded

    def encode_ending(self, ending: Ending) -> bytes:
        """Return the part that says that a run failed; `[DONE]` says that it is done."""
        if not ending.is_failure:
            return b""
        return ServerSentEvent(self.ending_part(ending)).encoded

    def error_part(self, record: object) -> Mapping[str, object]:
        """Return the dialect's part for an error."""
        raise NotImplementedError

    def ending_part(self, ending: Ending) -> Mapping[str, object]:
        """Return the dialect's part for a run that failed."""
        return self.error_part(ending.detail or _TITLE)


class OpenAI(_Dialect):
    """The streams of OpenAI's API: an error is `{"error": {"message": …}}`."""

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

    headers: Mapping[str, str] = MappingProxyType({**SSE.headers, "x-vercel-ai-ui-message-stream": "v1"})

    def error_part(self, record: object) -> Mapping[str, object]:
        """Put it into an error part, whose text is all there is."""
        return {"type": "error", "errorText": _text(record)}


_encode_published_part: Encode = methodcaller("sse_part")


def _encode_part(item: Any) -> bytes:
    event = item if isinstance(item, ServerSentEvent) else event_of(item)
    if event.data is None or event.id is not None or event.retry is not None:
        given = [name for name in ("data", "event", "id", "retry", "comment") if getattr(event, name) is not None]
        raise ChunkValueError(
            f"profile: expected an event with data, no id and no retry, got one with {', '.join(given)}"
        )
    return event.encoded


def _text(record: object) -> str:
    return record if isinstance(record, str) else dump_json(record).decode()


PROFILES: Mapping[str, type[_Dialect]] = MappingProxyType({"openai": OpenAI, "ai-sdk": AISDK})
