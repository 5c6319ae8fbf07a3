"""What the OpenAPI document says of a stream: the media types that it may have, and the schema of an item.

FastAPI takes the media type from a route's response class, and the schema from the view's return annotation. It is told
that a view which yields Items returns a list of them, as a JSON array of them is. That is then said of each format in
its own way, where FastAPI says it of its own streams: as `itemSchema` (OpenAPI 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import GenericAlias
from typing import Any, ClassVar, Unpack, get_origin

from fastapi.dependencies.utils import get_stream_item_type, get_typed_return_annotation
from fastapi.responses import JSONResponse
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from starlette.responses import Response
from starlette.routing import BaseRoute

import stream_adapter as sa
from stream_adapter.formats import NDJSON, SSE, Auto, Format, JSONArray, JSONSeq, Raw
from stream_adapter.integration import ResponseOptions

__all__ = ["annotation_of", "describe", "document_streams"]

_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"type": "string"},
        "event": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer", "minimum": 0},
    },
}
_RAW_TEXT = {"type": "string"}


class _Described(Response):
    """What a route's documentation is read from; no view returns one."""

    declared: ClassVar[sa.Response]
    item: ClassVar[Any]


def describe(declared: sa.Response, view: Callable[..., Any]) -> type[Response]:
    """Return the response class that a route's documentation is read from.

    Args:
        declared: what is known of the stream but for its content.
        view: its return annotation says what its items are.
    """
    item = get_stream_item_type(get_typed_return_annotation(view))
    formats = _formats_of(declared, item)
    has_items = any(isinstance(format, (NDJSON, SSE, JSONArray, JSONSeq)) for format in formats.values())
    bases = (_Described, JSONResponse) if has_items else (_Described,)  # FastAPI has a schema for JSON only
    return type("Stream", bases, {"media_type": next(iter(formats), None), "declared": declared, "item": item})


def annotation_of(described: type[Response]) -> Any:
    """Return what FastAPI is told that the view returns: a list of items that have a schema, or else a response."""
    item = getattr(described, "item", None)
    if item is None or not issubclass(described, JSONResponse):
        return Response
    try:
        TypeAdapter(item).json_schema(mode="serialization")
    except (PydanticUserError, PydanticUndefinedAnnotation):  # attrs and msgspec have their schemas elsewhere
        return Response
    return GenericAlias(list, (item,))


def _formats_of(declared: sa.Response, item: Any) -> dict[str, Format]:
    """Return the format by each media type that the stream may have, the default first; none if its items decide."""
    named = declared.headers.get("Content-Type") or declared.media_type
    if declared.format is not None:
        return {named or declared.format.media_type: declared.format}
    if named is not None:
        return {named: Raw(named)}
    cls: Any = get_origin(item) or item
    offered = Auto().offered(cls) if isinstance(cls, type) else ()
    if declared.strict or not any(isinstance(format, (NDJSON, SSE)) for format in offered[:1]):
        return {}
    return {format.media_type: format for format in offered}


def document_streams(
    document: dict[str, Any], routes: Sequence[BaseRoute], **defaults: Unpack[ResponseOptions]
) -> None:
    """Say of each stream in an application's document what each of its formats is; the second time, nothing new.

    Args:
        document: as FastAPI makes it.
        routes: the application's.
        **defaults: what holds for streams that say nothing else.
    """
    for context in iter_route_contexts(routes):
        described = getattr(context, "response_class", None)
        if isinstance(described, type) and issubclass(described, _Described):
            formats = _formats_of(described.declared.with_defaults(**defaults), described.item)
            for content in _contents(document, context):
                _document(content, described.media_type, formats)


def _contents(document: dict[str, Any], context: RouteContext) -> Iterator[dict[str, Any]]:
    operations: dict[str, Any] = document["paths"].get(context.path_format or "", {})
    for method in context.methods or ():
        responses = operations.get(method.lower(), {}).get("responses", {})
        yield responses.get(str(context.status_code or 200), {}).get("content", {})


def _document(content: dict[str, Any], media_type: str | None, formats: dict[str, Format]) -> None:
    written: dict[str, Any] = content.get(media_type or "", {})
    if "schema" not in written:
        return
    del content[media_type or ""]
    item: dict[str, Any] = written.pop("schema").get("items", {})
    content.update({name: {**written, **_schema_of(format, item)} for name, format in formats.items()})


def _schema_of(format: Format, item: dict[str, Any]) -> dict[str, Any]:
    if isinstance(format, SSE):
        return {"itemSchema": _event_of(item)}
    if isinstance(format, JSONArray):
        return {"schema": {"type": "array", "items": item}}
    if isinstance(format, (NDJSON, JSONSeq)):
        return {"itemSchema": item}
    return {"schema": _RAW_TEXT}


def _event_of(item: dict[str, Any]) -> dict[str, Any]:
    if item in ({}, _RAW_TEXT):
        return _EVENT
    data = {**_RAW_TEXT, "contentMediaType": "application/json", "contentSchema": item}
    return {**_EVENT, "required": ["data"], "properties": {**_EVENT["properties"], "data": data}}
