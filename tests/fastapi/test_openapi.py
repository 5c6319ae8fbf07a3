"""The OpenAPI document: nothing of a view is lost in it, and a declared media type shows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import attrs
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Response
from fastapi.openapi.models import OpenAPI
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

import stream_adapter as sa
from stream_adapter.formats import CSV, NDJSON, SSE, Format, JSONArray, JSONSeq
from stream_adapter_fastapi import Stream, StreamAdapter, StreamRouter, streaming
from tests.fastapi.support import strict_client_of


def token(x_token: Annotated[str, Header()]) -> str:
    return x_token


@streaming(format=NDJSON())
async def decorated(
    item: int, token: Annotated[str, Depends(token)], *, q: str | None = None
) -> AsyncIterator[dict[str, int]]:
    """Stream the rows of an item."""
    yield {"item": item}


async def undecorated(item: int, token: Annotated[str, Depends(token)], *, q: str | None = None) -> dict[str, int]:
    """Stream the rows of an item."""
    return {"item": item}


def operation_of(app: FastAPI, path: str) -> dict[str, Any]:
    document = app.openapi()
    OpenAPI.model_validate(document)
    operations: dict[str, Any] = document["paths"][path]
    (operation,) = operations.values()
    return dict(operation)


def content_of(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation["responses"]["200"].get("content", {})
    return content


@pytest.mark.parametrize("with_adapter", [False, True], ids=["", "StreamAdapter"])
def test_a_decorated_view_is_documented_as_it_was_written(*, with_adapter: bool) -> None:
    app = FastAPI()
    if with_adapter:
        StreamAdapter(app)
    app.get("/items/{item}")(decorated)
    app.get("/other/{item}")(undecorated)

    adapted, plain = operation_of(app, "/items/{item}"), operation_of(app, "/other/{item}")

    assert adapted["summary"] == "Decorated"
    assert adapted["description"] == "Stream the rows of an item."
    assert adapted["parameters"] == plain["parameters"]
    assert [parameter["name"] for parameter in adapted["parameters"]] == ["item", "q", "x-token"]


LATER = APIRouter()
LATER.get("/items")(streaming(media_type="text/csv")(lambda: iter("a")))

DECLARED: dict[str, Format | str] = {"format": CSV(), "media_type": "text/x-rows", "header": "text/markdown"}


def declare(kind: str) -> dict[str, Any]:
    value = DECLARED[kind]
    return {"headers": {"Content-Type": value}} if kind == "header" else {kind: value}


MEDIA_TYPES = {"format": "text/csv", "media_type": "text/x-rows", "header": "text/markdown"}


def route_directly(app: FastAPI, view: Any) -> None:
    StreamAdapter(app)
    app.get("/items")(view)


def route_before(app: FastAPI, view: Any) -> None:
    app.get("/items")(view)
    StreamAdapter(app)


def route_in_a_router(app: FastAPI, view: Any) -> None:
    router, outer = APIRouter(), APIRouter()
    StreamAdapter(app)
    app.include_router(outer)
    outer.include_router(router)
    router.get("/items")(view)


def route_in_a_stream_router(app: FastAPI, view: Any) -> None:
    router = StreamRouter()
    router.get("/items")(view)
    app.include_router(router)


def route_with_streaming(app: FastAPI, view: Any) -> None:
    router = StreamRouter()
    router.get("/items", streaming=True)(view)
    app.include_router(router)


def route_with_streaming_and_adapter(app: FastAPI, view: Any) -> None:
    StreamAdapter(app).get("/items", streaming=True)(view)


ROUTINGS = [route_directly, route_before, route_in_a_router, route_in_a_stream_router, route_with_streaming]


@pytest.mark.parametrize("kind", DECLARED)
@pytest.mark.parametrize("route", ROUTINGS)
def test_a_declared_media_type_is_documented(kind: str, route: Any) -> None:
    app = FastAPI()

    @streaming(**declare(kind))
    def rows() -> Iterator[list[str]]:
        yield ["a"]

    route(app, rows)

    assert content_of(operation_of(app, "/items")) == {MEDIA_TYPES[kind]: {"schema": {"type": "string"}}}
    assert strict_client_of(app).get("/items").headers["content-type"].startswith(MEDIA_TYPES[kind])


class Item(BaseModel):
    name: str


@dataclass
class Point:
    x: int


@attrs.define
class Bare:
    """Pydantic has no schema of it."""

    x: int


ITEM = {"$ref": "#/components/schemas/Item"}
TEXT = {"type": "string"}


def event(**data: Any) -> dict[str, Any]:
    fields = {"data": TEXT, "event": TEXT, "id": TEXT, "retry": {"type": "integer", "minimum": 0}}
    required = {"required": ["data"]} if data else {}
    return {"type": "object", **required, "properties": {**fields, "data": {**TEXT, **data}}}


def event_of(item: dict[str, Any]) -> dict[str, Any]:
    return event(contentMediaType="application/json", contentSchema=item)


def negotiated(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "application/x-ndjson": {"itemSchema": item},
        "application/json": {"schema": {"type": "array", "items": item}},
        "application/json-seq": {"itemSchema": item},
        "text/event-stream": {"itemSchema": event_of(item) if item else event()},
    }


DOCUMENTED: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({"format": NDJSON()}, Iterator[Item], {"application/x-ndjson": {"itemSchema": ITEM}}),
    ({"format": NDJSON()}, AsyncIterator[Item], {"application/x-ndjson": {"itemSchema": ITEM}}),
    ({"format": NDJSON()}, Iterable[int], {"application/x-ndjson": {"itemSchema": {"type": "integer"}}}),
    (
        {"format": NDJSON()},
        Iterator[Item | None],
        {"application/x-ndjson": {"itemSchema": {"anyOf": [ITEM, {"type": "null"}]}}},
    ),
    ({"format": NDJSON()}, Iterator[Any], {"application/x-ndjson": {"itemSchema": {}}}),
    ({"format": NDJSON()}, Iterator[Bare], {"application/x-ndjson": {"itemSchema": {}}}),
    ({"format": NDJSON()}, None, {"application/x-ndjson": {"itemSchema": {}}}),
    (
        {"format": NDJSON(), "media_type": "application/jsonl"},
        Iterator[Item],
        {"application/jsonl": {"itemSchema": ITEM}},
    ),
    ({"format": JSONSeq()}, Iterator[Item], {"application/json-seq": {"itemSchema": ITEM}}),
    ({"format": JSONArray()}, Iterator[Item], {"application/json": {"schema": {"type": "array", "items": ITEM}}}),
    ({"format": SSE()}, Iterator[Item], {"text/event-stream": {"itemSchema": event_of(ITEM)}}),
    ({"format": SSE()}, Iterator[str], {"text/event-stream": {"itemSchema": event()}}),
    ({"format": SSE()}, Iterator[sa.ServerSentEvent], {"text/event-stream": {"itemSchema": event()}}),
    ({"format": CSV()}, Iterator[Item], {"text/csv": {"schema": TEXT}}),
    ({"media_type": "text/event-stream"}, Iterator[bytes], {"text/event-stream": {"schema": TEXT}}),
    ({}, Iterator[Item], negotiated(ITEM)),
    ({}, Iterator[dict[str, int]], negotiated({"type": "object", "additionalProperties": {"type": "integer"}})),
    ({}, Iterator[Point], negotiated({"$ref": "#/components/schemas/Point"})),
    ({}, Iterator[Bare], negotiated({})),
    ({}, Iterator[sa.ServerSentEvent], {"text/event-stream": {"itemSchema": event()}}),
    ({"strict": True}, Iterator[bytes], {}),
    ({}, Iterator[str], {}),
    ({}, Iterator[bytes], {}),
    ({}, None, {}),
]


def view_of(annotation: Any) -> Any:
    def rows() -> Any:
        yield {}

    rows.__annotations__["return"] = annotation
    return rows


@pytest.mark.parametrize(("options", "annotation", "content"), DOCUMENTED)
def test_each_format_is_documented_with_the_schema_of_an_item(
    options: dict[str, Any], annotation: Any, content: dict[str, Any]
) -> None:
    app = FastAPI()
    StreamAdapter(app)
    app.get("/items")(streaming(**options)(view_of(annotation)))
    document = app.openapi()

    assert content_of(operation_of(app, "/items")) == content
    assert app.openapi() == document, "asked for a second time"
    for name in re.findall(r"#/components/schemas/(\w+)", str(content)):
        assert name in document["components"]["schemas"]


@pytest.mark.parametrize("route", [route_directly, route_before, route_in_a_router, route_with_streaming_and_adapter])
def test_the_schema_of_an_item_is_documented_however_the_view_is_routed(route: Any) -> None:
    app = FastAPI()
    route(app, streaming(format=NDJSON())(view_of(Iterator[Item])))
    assert content_of(operation_of(app, "/items")) == {"application/x-ndjson": {"itemSchema": ITEM}}


def test_without_an_adapter_a_stream_of_items_is_documented_as_a_list_of_them() -> None:
    app = FastAPI()
    route_in_a_stream_router(app, streaming(format=NDJSON())(view_of(Iterator[Item])))
    ((media_type, content),) = content_of(operation_of(app, "/items")).items()
    assert media_type == "application/x-ndjson"
    assert (content["schema"]["type"], content["schema"]["items"]) == ("array", ITEM)


def test_an_adapters_defaults_are_documented_where_a_view_says_nothing_else() -> None:
    app = FastAPI()
    StreamAdapter(app, format=SSE())
    app.get("/items")(streaming(view_of(Iterator[Item])))
    app.get("/lines")(streaming(format=NDJSON())(view_of(Iterator[Item])))
    assert content_of(operation_of(app, "/items")) == {"text/event-stream": {"itemSchema": event_of(ITEM)}}
    assert content_of(operation_of(app, "/lines")) == {"application/x-ndjson": {"itemSchema": ITEM}}


def test_adapted_and_native_streams_document_an_item_alike() -> None:
    app = FastAPI()
    StreamAdapter(app)
    app.get("/lines")(streaming(format=NDJSON())(view_of(Iterator[Item])))
    app.get("/events")(streaming(format=SSE())(view_of(Iterator[Item])))
    app.get("/own-lines")(view_of(Iterator[Item]))
    app.get("/own-events", response_class=EventSourceResponse)(view_of(Iterator[Item]))
    (lines,), (own_lines,), (events,), (own_events,) = (
        content_of(operation_of(app, path)).values() for path in ("/lines", "/own-lines", "/events", "/own-events")
    )
    assert lines == own_lines
    assert events == own_events


def test_response_documentation_of_a_route_is_kept() -> None:
    app = FastAPI()
    StreamAdapter(app)
    example = {"content": {"application/x-ndjson": {"example": "{}"}}, "description": "Items, a line each"}
    app.get("/items", responses={200: example})(streaming(format=NDJSON())(view_of(Iterator[Item])))
    response = operation_of(app, "/items")["responses"]["200"]
    assert response["description"] == "Items, a line each"
    assert response["content"] == {"application/x-ndjson": {"example": "{}", "itemSchema": ITEM}}


def test_response_class_of_the_route_documents_the_media_type() -> None:
    class CSV(Response):
        media_type = "text/csv"

    app = FastAPI()

    @app.get("/items", response_class=CSV)
    @streaming(media_type="text/csv")
    def rows() -> Iterator[str]:
        yield "a"

    assert content_of(operation_of(app, "/items")) == {"text/csv": {"schema": {"type": "string"}}}


def test_a_response_class_that_the_route_names_is_kept() -> None:
    class Own(Response):
        media_type = "text/x-own"

    app = FastAPI()
    adapter = StreamAdapter(app)

    @adapter.get("/items", response_class=Own, streaming=True)
    def rows() -> Iterator[str]:
        yield "a"

    assert [*content_of(operation_of(app, "/items"))] == ["text/x-own"]


def test_undeclared_media_type_is_not_documented() -> None:
    app = FastAPI()
    adapter = StreamAdapter(app)

    @adapter.get("/items", streaming=True)
    def rows() -> Iterator[str]:
        yield "a"

    assert content_of(operation_of(app, "/items")) == {}


def test_views_that_stream_nothing_are_documented_as_without_an_adapter() -> None:
    documents = list[dict[str, Any]]()
    for with_adapter in (False, True):
        app, router = FastAPI(), APIRouter()
        if with_adapter:
            StreamAdapter(app)
        app.get("/items/{item}")(undecorated)
        router.post("/items/{item}")(undecorated)
        app.include_router(router, prefix="/router")
        documents.append(app.openapi())

    assert documents[0] == documents[1]


def test_the_stream_dependency_is_not_a_parameter() -> None:
    app = FastAPI()

    @app.get("/items")
    async def rows(stream: Stream) -> Response:
        return stream(iter("a"))

    assert "parameters" not in operation_of(app, "/items")
