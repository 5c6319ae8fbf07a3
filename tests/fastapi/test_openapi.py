"""The OpenAPI document: nothing of a view is lost in it, and a declared media type shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Response
from fastapi.openapi.models import OpenAPI

from stream_adapter.formats import NDJSON, Format
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

    ours, plain = operation_of(app, "/items/{item}"), operation_of(app, "/other/{item}")

    assert ours["summary"] == "Decorated"
    assert ours["description"] == "Stream the rows of an item."
    assert ours["parameters"] == plain["parameters"]
    assert [parameter["name"] for parameter in ours["parameters"]] == ["item", "q", "x-token"]


LATER = APIRouter()
LATER.get("/items")(streaming(media_type="text/csv")(lambda: iter("a")))

DECLARED: dict[str, Format | str] = {"format": NDJSON(), "media_type": "text/csv", "header": "text/markdown"}


def declare(kind: str) -> dict[str, Any]:
    value = DECLARED[kind]
    return {"headers": {"Content-Type": value}} if kind == "header" else {kind: value}


MEDIA_TYPES = {"format": "application/x-ndjson", "media_type": "text/csv", "header": "text/markdown"}


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


ROUTINGS = [route_directly, route_before, route_in_a_router, route_in_a_stream_router, route_with_streaming]


@pytest.mark.parametrize("kind", DECLARED)
@pytest.mark.parametrize("route", ROUTINGS)
def test_a_declared_media_type_is_documented(kind: str, route: Any) -> None:
    app = FastAPI()

    @streaming(**declare(kind))
    def rows() -> Iterator[str]:
        yield "a"

    route(app, rows)

    assert content_of(operation_of(app, "/items")) == {MEDIA_TYPES[kind]: {"schema": {"type": "string"}}}
    assert strict_client_of(app).get("/items").headers["content-type"].startswith(MEDIA_TYPES[kind])


def test_without_an_adapter_the_response_class_of_the_route_tells_the_media_type() -> None:
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


def test_an_undeclared_media_type_is_not_made_up() -> None:
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


def test_the_stream_dependency_is_no_parameter() -> None:
    app = FastAPI()

    @app.get("/items")
    async def rows(stream: Stream) -> Response:
        return stream(iter("a"))

    assert "parameters" not in operation_of(app, "/items")
