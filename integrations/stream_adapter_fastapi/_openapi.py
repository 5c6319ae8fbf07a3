"""What the OpenAPI document says of a stream: the media types that it may have, and the schema of an item.

FastAPI takes the media type from a route's response class, and the schema from the view's return annotation. For a view
that yields Items, we give it a list of them: the schema of a JSON array. Then we document each format in its own way,
where FastAPI documents its own streams: as `itemSchema` (OpenAPI 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import GenericAlias
from typing import Any, ClassVar

from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from starlette.responses import Response
from starlette.routing import BaseRoute

import stream_adapter as sa
from stream_adapter.formats import NDJSON, SSE, Auto, Format, JSONArray, JSONSeq, Raw
from stream_adapter.integration import ResponseOptions, checked_options, is_event, kind_of

from ._compat import (
    DefaultPlaceholder,
    RouteContext,
    call_in,
    get_stream_item_type,
    iter_route_contexts,
)
from ._items import class_of, is_container, item_of, may_be_text
from ._marks import documentation_of

__all__ = [
    "DocumentedResponse",
    "annotation_of",
    "document_response",
    "document_streams",
    "extend_documentation",
]

_NONE = checked_options()
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


class DocumentedResponse(Response):
    """What a route's documentation is read from; no view returns one.

    Attributes:
        declared: what is known of the stream but for its content.
        item: the type of an item; None if nothing is said of it.
        of_route: options that the route's own `response_class` stands for.
    """

    declared: ClassVar[sa.Response]
    item: ClassVar[Any]
    of_route: ClassVar[ResponseOptions]


def document_response(declared: sa.Response, returned: Any) -> type[DocumentedResponse]:
    """Return the response class that a route's documentation is read from.

    Args:
        declared: what is known of the stream but for its content.
        returned: the view's return annotation, or the response model: it says what an item is.
    """
    return _make_documented(declared, _item_in(returned), _NONE)


def extend_documentation(
    described: type[DocumentedResponse], model: Any = None, of_route: ResponseOptions = _NONE
) -> type[DocumentedResponse]:
    """Return the description of a route that says more of its stream than the view does.

    Args:
        described: by the view.
        model: the route's response model; None leaves what the view says of its items.
        of_route: options that the route's response class stands for.
    """
    if model is None and not of_route:
        return described
    item = described.item if model is None else item_of(model)
    return _make_documented(described.declared.with_defaults(of_route), item, of_route)


def _make_documented(declared: sa.Response, item: Any, of_route: ResponseOptions) -> type[DocumentedResponse]:
    formats = _formats_of(declared, item)
    has_items = any(isinstance(format, (NDJSON, SSE, JSONArray, JSONSeq)) for format in formats.values())
    # FastAPI has a schema for JSON only
    bases = (DocumentedResponse, JSONResponse) if has_items else (DocumentedResponse,)
    members = {"declared": declared, "item": item, "of_route": of_route}
    return type("Stream", bases, {"media_type": next(iter(formats), None), **members})


def _item_in(returned: Any) -> Any:
    """Return the type of the items of a container, or of events; None if the annotation is not of many items."""
    item = item_of(returned) if is_container(returned) else None
    return get_stream_item_type(returned) if item is None else item


def annotation_of(described: type[Response]) -> Any:
    """Return the annotation that FastAPI reads: a list of items, if they have a schema, or else a response."""
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
    cls = None if item is None else class_of(item)
    if named is not None:
        raw = Raw(named)
        has_values = cls is not None and (is_event(cls) or kind_of(cls) in {"json", "number"})
        framing = raw.framing if has_values and not declared.strict else None
        return {named: raw if framing is None else framing}
    offered = Auto().offered(cls) if cls is not None else ()
    if declared.strict or not any(isinstance(format, (NDJSON, SSE)) for format in offered[:1]):
        return {}
    return {format.media_type: format for format in offered}


def document_streams(document: dict[str, Any], routes: Sequence[BaseRoute], defaults: ResponseOptions = _NONE) -> None:
    """Say of each stream in an application's document what each of its formats is.

    Args:
        document: as FastAPI made it.
        routes: the application's.
        defaults: what holds for streams that say nothing else.
    """
    for context in iter_route_contexts(routes):
        described, written_as = _description_in(context)
        if described is not None:
            declared = described.declared.with_defaults(_status_of(context)).with_defaults(defaults)
            formats = _formats_of(declared, described.item)
            in_list = is_container(getattr(context, "response_model", None))
            for responses in _responses(document, context):
                answer = _under_status(responses, str(context.status_code or 200), str(declared.status_code))
                _document(answer.get("content", {}), written_as, formats, described.item, in_list=in_list)


def _status_of(context: RouteContext) -> ResponseOptions:
    return _NONE if context.status_code is None else checked_options(status_code=context.status_code)


def _under_status(responses: dict[str, Any], written: str, sent: str) -> dict[str, Any]:
    """Return what is said of an answer, under the status that it has: FastAPI knows the route's only."""
    if sent != written and written in responses and sent not in responses:
        renamed = {sent if status == written else status: said for status, said in responses.items()}
        responses.clear()
        responses.update(renamed)
    answer: dict[str, Any] = responses.get(sent, {})
    return answer


def _description_in(context: RouteContext) -> tuple[type[DocumentedResponse] | None, str | None]:
    """Return what a route is documented by, and the media type under which FastAPI has its schema.

    It is its response class, or else, where that is the default, what its view is annotated with.
    """
    response_class = getattr(context, "response_class", None)
    if isinstance(response_class, type) and issubclass(response_class, DocumentedResponse):
        return response_class, response_class.media_type
    view = call_in(context)
    if view is None or not isinstance(response_class, DefaultPlaceholder):
        return None, None
    return documentation_of(view), JSONResponse.media_type


def _responses(document: dict[str, Any], context: RouteContext) -> Iterator[dict[str, Any]]:
    operations: dict[str, Any] = document["paths"].get(context.path_format or "", {})
    for method in context.methods or ():
        yield operations.get(method.lower(), {}).get("responses", {})


def _document(
    content: dict[str, Any], media_type: str | None, formats: dict[str, Format], item_type: Any, *, in_list: bool
) -> None:
    """Say of each format what FastAPI has said of the one media type that it knows of."""
    written: dict[str, Any] = content.get(media_type or "", {})
    if "schema" not in written or (not formats and written["schema"]):
        return
    del content[media_type or ""]
    schema: dict[str, Any] = written.pop("schema")
    item = schema.get("items", {}) if in_list else schema
    event = _EVENT if may_be_text(item_type) else _event_of(item)
    content.update({name: {**written, **_schema_of(format, item, event)} for name, format in formats.items()})


def _schema_of(format: Format, item: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    if isinstance(format, SSE):
        return {"itemSchema": event}
    if isinstance(format, JSONArray):
        return {"schema": {"type": "array", "items": item}}
    if isinstance(format, (NDJSON, JSONSeq)):
        return {"itemSchema": item}
    return {"schema": _RAW_TEXT}


def _event_of(item: dict[str, Any]) -> dict[str, Any]:
    if not item:
        return _EVENT
    data = {**_RAW_TEXT, "contentMediaType": "application/json", "contentSchema": item}
    return {**_EVENT, "required": ["data"], "properties": {**_EVENT["properties"], "data": data}}
