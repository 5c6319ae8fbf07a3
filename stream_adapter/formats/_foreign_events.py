"""Events of other libraries, known by what they are called and have, so that none is imported to look for them.

FastAPI's, sse-starlette's, Litestar's, and what httpx-sse and openai read from an upstream: classes called
`ServerSentEvent`, or something that holds it, with `data`, `event`, `id` and `retry`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from stream_adapter._json import dump_json

from ._event import ServerSentEvent

__all__ = ["event_of", "is_event"]


def _is_event(cls: type[Any]) -> bool:
    return issubclass(cls, ServerSentEvent) or any("ServerSentEvent" in base.__name__ for base in cls.__mro__)


is_event: Callable[[type[Any]], bool] = cast("Callable[[type[Any]], bool]", lru_cache(maxsize=1024)(_is_event))
"""Return True if instances are server-sent events: our own, or another library's."""


def event_of(event: Any) -> ServerSentEvent:
    """Return our event for another library's.

    FastAPI sends `data` as JSON, text too, and `raw_data` as it is; the others send text as it is.

    Raises:
        ChunkEncodingError: a field has another type.
        ChunkValueError: it has no field, or one that cannot be sent.
    """
    data: object = getattr(event, "data", None)
    raw: object = getattr(event, "raw_data", None)
    if raw is not None:
        data = raw
    elif hasattr(event, "raw_data") and isinstance(data, str):
        data = dump_json(data).decode()
    elif isinstance(data, bytes):
        data = data.decode()
    event_id: object = getattr(event, "id", None)
    return ServerSentEvent(
        data,
        getattr(event, "event", None),
        str(event_id) if isinstance(event_id, int) else cast("str | None", event_id),
        getattr(event, "retry", None),
        getattr(event, "comment", None),
    )
