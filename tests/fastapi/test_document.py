"""The OpenAPI document and what is sent agree, and without streams both are FastAPI's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, FastAPI, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse, PlainTextResponse
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, PlainSerializer, computed_field
from typing_extensions import TypedDict

from stream_adapter.formats import CSV, NDJSON, SSE, JSONArray, JSONSeq
from stream_adapter_fastapi import Stream, StreamAdapter, StreamRouter, streaming
from tests.fastapi.support import client_of, strict_client_of


class Colour(Enum):
    RED = "red"


class Part(BaseModel):
    size: float = Field(serialization_alias="partSize")


class Item(BaseModel):
    name: str = Field(alias="itemName")
    made: date = date(2026, 1, 2)
    colour: Colour = Colour.RED
    parts: list[Part] = []
    id: UUID = UUID(int=7)
    note: str | None = None

    @computed_field  # type: ignore[prop-decorator]  # as Pydantic documents it
    @property
    def label(self) -> str:
        return f"{self.name}!"


class Secret(Item):
    password: str = "hunter2"


@dataclass
class Point:
    x: int
    y: float = 0.5


class Typed(TypedDict):
    a: int


class Shade(str, Enum):  # noqa: UP042  # whose text, formatted, is its name
    DARK = "dark"


def name_of_item(item: Item) -> str:
    return item.name


ITEMS: dict[str, tuple[Any, list[Any]]] = {
    "models": (Item, [Secret(itemName="a", parts=[Part(size=1.5)]), {"itemName": "b", "password": "hunter2"}]),
    "dataclasses": (Point, [Point(1), {"x": 2, "y": 3}]),
    "dicts": (dict[str, int], [{"a": 1}, {}]),
    "typed dicts": (Typed, [{"a": 1}]),
    "unions": (Item | Point, [Point(1), Secret(itemName="c")]),
    "lists": (list[int], [[1, 2], []]),
    "sets": (set[int], [{1}, {2}]),
    "paths": (PurePosixPath, [PurePosixPath("/a")]),
    "models or null": (Item | None, [None, Secret(itemName="d")]),
    "numbers or null": (int | None, [1, None]),
    "models or numbers": (Item | int, [3, Secret(itemName="e")]),
    "models that are written as text": (Annotated[Secret, PlainSerializer(name_of_item, str)], [Secret(itemName="f")]),
    "durations": (timedelta, [timedelta(seconds=90)]),
    "enums of text": (Shade, [Shade.DARK]),
}

FORMATS: dict[str, dict[str, Any]] = {
    "auto": {},
    "ndjson": {"format": NDJSON()},
    "jsonl": {"format": NDJSON(), "media_type": "application/jsonl"},
    "json_array": {"format": JSONArray()},
    "json_seq": {"format": JSONSeq()},
    "sse": {"format": SSE()},
    "named ndjson": {"media_type": "application/x-ndjson"},
    "named jsonl": {"media_type": "application/jsonl"},
    "named json": {"media_type": "application/json"},
    "named json_seq": {"media_type": "application/json-seq"},
    "named sse": {"media_type": "text/event-stream"},
}

Declare = Callable[[FastAPI, Any, list[Any], dict[str, Any]], object]


def by_annotation(app: FastAPI, item: Any, items: list[Any], options: dict[str, Any]) -> None:
    def view() -> Any:
        yield from items

    view.__annotations__["return"] = Iterator[item]
    StreamAdapter(app).get("/", streaming=True)(streaming(**options)(view))


def by_response_model_list(app: FastAPI, item: Any, items: list[Any], options: dict[str, Any]) -> None:
    @StreamAdapter(app).get("/", response_model=list[item])
    @streaming(**options)
    async def view() -> Any:
        for each in items:
            yield each


def by_annotation_under_the_adapter(app: FastAPI, item: Any, items: list[Any], options: dict[str, Any]) -> None:
    StreamAdapter(app, **options)

    def view() -> Any:
        return iter(items)

    view.__annotations__["return"] = Iterator[item]
    app.get("/")(view)


def by_router(app: FastAPI, item: Any, items: list[Any], options: dict[str, Any]) -> None:
    router = StreamRouter()

    async def view() -> Any:
        for each in items:
            yield each

    view.__annotations__["return"] = AsyncIterator[item]
    router.get("/", streaming=True)(streaming(**options)(view))
    app.include_router(router)
    StreamAdapter(app)


DECLARATIONS: list[Declare] = [by_annotation, by_response_model_list, by_annotation_under_the_adapter, by_router]


def items_of(answer: httpx2.Response, schema: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each item of a body, and what the document says of it."""
    media_type = answer.headers["content-type"].partition(";")[0]
    if media_type == "application/json":
        yield answer.json(), schema["schema"]
    elif media_type == "text/event-stream":
        data = schema["itemSchema"]["properties"]["data"]
        assert data["contentMediaType"] == "application/json"
        for line in answer.text.splitlines():
            if line.startswith("data: "):
                yield {"data": line.removeprefix("data: ")}, schema["itemSchema"]
                yield json.loads(line.removeprefix("data: ")), data["contentSchema"]
    else:
        for line in answer.text.replace("\x1e", "").splitlines():
            yield json.loads(line), schema["itemSchema"]


@cache
def validator_of(schema: str) -> Any:
    """Return the validator of a schema, which is valid itself; most tests have the schemas of others."""
    parsed = json.loads(schema)
    Draft202012Validator.check_schema(parsed)
    return Draft202012Validator(parsed)


def check(answer: httpx2.Response, document: dict[str, Any]) -> int:
    (operation,) = document["paths"]["/"].values()
    content = operation["responses"]["200"]["content"]
    schema = content[answer.headers["content-type"].partition(";")[0]]
    checked = 0
    for item, said in items_of(answer, schema):
        closed = {**said, "components": document["components"]} if "components" in document else said
        validator_of(json.dumps(closed)).validate(item)
        checked += 1
    assert "hunter2" not in answer.text
    return checked


async def answers_of(app: FastAPI, accepted: Iterable[str]) -> list[httpx2.Response]:
    """Return the document, and the answer to each Accept, in one loop: Starlette's client has a thread for each."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver") as client:
        return [
            await client.get("/openapi.json"),
            *[await client.get("/", headers={"Accept": accept}) for accept in accepted],
        ]


@pytest.mark.parametrize("declare", DECLARATIONS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", ITEMS)
def test_each_item_of_a_body_matches_its_documented_schema(declare: Declare, format: str, kind: str) -> None:
    app, (item, items) = FastAPI(), ITEMS[kind]
    declare(app, item, items, FORMATS[format])

    accepted = ["*/*"]
    if format == "auto":
        accepted += ["application/json", "application/json-seq", "text/event-stream"]
    document, *answers = asyncio.run(answers_of(app, accepted))
    for answer in answers:
        assert check(answer, document.json()) >= 1


def test_a_response_model_of_one_item_is_that_of_each_item_of_a_stream() -> None:
    app = FastAPI()
    StreamAdapter(app).get("/", streaming=True, response_model=Item)(lambda: iter([Secret(itemName="a")]))
    client = strict_client_of(app)

    assert check(client.get("/"), client.get("/openapi.json").json()) == 1


@pytest.mark.parametrize(("of_route", "of_view", "of_app"), [(None, 202, 200), (202, None, 203), (None, None, 202)])
def test_an_answer_is_documented_under_the_status_that_it_has(
    of_route: int | None, of_view: int | None, of_app: int
) -> None:
    app = FastAPI()

    async def view() -> AsyncIterator[Item]:
        yield Secret(itemName="a")

    stated = {} if of_view is None else {"status_code": of_view}
    app.get("/", status_code=of_route)(streaming(**stated)(view))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # one option
    StreamAdapter(app, status_code=of_app)
    client = strict_client_of(app)

    assert client.get("/").status_code == 202
    assert list(client.get("/openapi.json").json()["paths"]["/"]["get"]["responses"]) == ["202"]


def test_a_stream_of_text_is_not_documented_as_json() -> None:
    app = FastAPI()
    by_annotation_under_the_adapter(app, str, ["a"], {})
    client = strict_client_of(app)

    assert client.get("/").headers["content-type"].startswith("text/plain")
    assert "application/json" not in client.get("/openapi.json").json()["paths"]["/"]["get"]["responses"]["200"].get(
        "content", {}
    )


def test_text_in_events_is_not_documented_as_json() -> None:
    app = FastAPI()
    by_annotation(app, Literal["a", "b"], ["a", "b"], {"format": SSE()})
    client = strict_client_of(app)
    (operation,) = client.get("/openapi.json").json()["paths"]["/"].values()

    assert "data: a\n" in client.get("/").text
    event = operation["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]
    assert event["properties"]["data"] == {"type": "string"}


def test_a_document_is_the_same_each_time_that_it_is_asked_for() -> None:
    app = FastAPI()
    by_annotation(app, Item, [], {"format": JSONArray()})
    client = strict_client_of(app)

    assert client.get("/openapi.json").content == client.get("/openapi.json").content


def plain_app(router: type[APIRouter] = APIRouter) -> FastAPI:
    """Make an application of many kinds of views that do not stream."""
    app, included = FastAPI(), router(prefix="/included", tags=["t"])

    @app.get("/list", response_model=list[Item])
    def listed() -> Any:
        return [Secret(itemName="a")]

    @included.get("/iterable")
    def iterable() -> Iterable[Item]:
        return [Secret(itemName="a")]

    @included.get("/model", response_model_exclude_none=True)
    async def model() -> Item:
        return Secret(itemName="a")

    @app.post("/body", status_code=201)
    async def body(item: Item, tasks: BackgroundTasks, response: Response) -> Item:
        tasks.add_task(str)
        response.set_cookie("a", "b")
        return item

    @app.get("/html", response_class=HTMLResponse)
    def html() -> str:
        return "<p>"

    @app.get("/response")
    async def response_of_its_own() -> PlainTextResponse:
        return PlainTextResponse("a")

    @app.get("/native")
    async def native() -> AsyncIterator[Item]:
        yield Secret(itemName="a")

    @included.get("/error")
    def error() -> Item:
        raise HTTPException(418, "tea")

    @app.get("/invalid")
    def invalid(number: int) -> dict[str, int]:
        return {"number": number}

    @app.put("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @app.delete("/nothing", status_code=status.HTTP_204_NO_CONTENT)
    def nothing() -> None:
        return None

    callbacks = APIRouter()

    @callbacks.post("{$request.body.url}")
    def called_back(item: Item) -> None:
        """Tell the caller."""

    @app.post("/callbacks", callbacks=callbacks.routes, openapi_extra={"x-a": 1}, responses={404: {"model": Item}})
    def with_callbacks(url: str = Body()) -> list[int]:
        return [len(url)]

    app.include_router(included)
    return app


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/list", {}),
    ("GET", "/included/iterable", {}),
    ("GET", "/included/model", {}),
    ("POST", "/body", {"json": {"itemName": "a", "made": "2026-02-03"}}),
    ("POST", "/body", {"json": {}}),
    ("GET", "/html", {}),
    ("GET", "/response", {}),
    ("GET", "/native", {}),
    ("GET", "/included/error", {}),
    ("GET", "/invalid?number=x", {}),
    ("PUT", "/raw", {"content": b"abc"}),
    ("DELETE", "/nothing", {}),
    ("POST", "/callbacks", {"json": "http://example.org"}),
    ("PATCH", "/list", {}),
    ("GET", "/missing", {}),
    ("GET", "/openapi.json", {}),
]


def adapted_before() -> FastAPI:
    class Adapted(FastAPI):
        def __init__(self) -> None:
            super().__init__()
            StreamAdapter(self, status_code=299, headers={"X-Adapted": "1"})

    module = globals()
    original, module["FastAPI"] = module["FastAPI"], Adapted
    try:
        return plain_app()
    finally:
        module["FastAPI"] = original


def adapted_after() -> FastAPI:
    app = plain_app()
    StreamAdapter(app, status_code=299, headers={"X-Adapted": "1"})
    return app


@pytest.mark.parametrize(
    "make", [adapted_before, adapted_after, lambda: plain_app(StreamRouter)], ids=["before", "after", "StreamRouter"]
)
def test_an_application_without_streams_answers_byte_for_byte_as_without_the_adapter(
    make: Callable[[], FastAPI],
) -> None:
    adapted, own = client_of(make()), client_of(plain_app())

    for method, path, options in REQUESTS:
        answers = [client.request(method, path, **options) for client in (adapted, own)]
        assert len({(answer.status_code, answer.content, str(answer.headers)) for answer in answers}) == 1, path


def test_the_endpoint_of_a_route_is_the_view() -> None:
    seen, app = list[Any](), FastAPI()

    def before() -> Any:
        return iter("a")

    async def after() -> AsyncIterator[str]:
        yield "a"

    def included() -> Any:
        return iter("a")

    def of_router() -> Iterator[str]:
        yield "a"

    app.get("/before")(before)
    router, streams = APIRouter(), StreamRouter()
    router.get("/included")(included)
    streams.get("/of_router", streaming=True)(of_router)
    app.include_router(router)
    app.include_router(streams)
    StreamAdapter(app)
    app.get("/after", streaming=True)(after)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # as documented

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        seen.append(request.scope["endpoint"])
        return answer

    client = strict_client_of(app)
    views = [before, after, included, of_router]

    for view in views:
        assert client.get(f"/{view.__name__}").text == "a"
    assert seen == views
    routes: list[Any] = [*app.routes, *router.routes, *streams.routes]
    assert set(views) <= {getattr(route, "endpoint", None) for route in routes}


def test_a_route_added_to_a_running_application_keeps_the_others_streaming() -> None:
    app, router = FastAPI(), APIRouter()
    router.get("/first")(lambda: iter("ab"))
    app.include_router(router)
    StreamAdapter(app)
    client = strict_client_of(app)
    assert client.get("/first").text == "ab"

    router.get("/second")(lambda: {"a": 1})

    assert client.get("/second").json() == {"a": 1}
    assert client.get("/first").text == "ab"


def test_the_stream_dependency_needs_no_schema_of_its_own() -> None:
    app = FastAPI()

    @app.get("/", response_model=list[Item])
    async def view(stream: Stream) -> Response:
        return stream(iter([Secret(itemName="a")]), format=CSV())

    assert strict_client_of(app).get("/").text.splitlines()[0] == "itemName,made,colour,parts,id,note,label"
