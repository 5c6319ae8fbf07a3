"""What is said to a route: FastAPI's options, a response class, and what a view returns that nothing streams."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

import stream_adapter as sa
from stream_adapter.formats import CSV
from stream_adapter_fastapi import Stream, StreamAdapter, StreamResponse, StreamRouter, stream_response, streaming
from tests.fastapi.support import client_of, strict_client_of


class Item(BaseModel):
    a: int


class Event(StreamingResponse):
    """A class of the application's own."""

    media_type = "text/event-stream"


def adapter_of(app: FastAPI) -> Any:
    return StreamAdapter(app)


def adapted(app: FastAPI) -> Any:
    StreamAdapter(app)
    return app


def router_of(app: FastAPI) -> Any:
    del app
    return StreamRouter()


ROUTERS = [adapter_of, adapted, router_of]

CLASSES: list[tuple[type[Response], str, str]] = [
    (EventSourceResponse, "text/event-stream", 'retry: 2000\ndata: {"a":1}\n\ndata: {"a":2}\n\n'),
    (StreamingResponse, "application/x-ndjson", '{"a":1}\n{"a":2}\n'),
    (StreamResponse, "application/x-ndjson", '{"a":1}\n{"a":2}\n'),
    (Response, "application/x-ndjson", '{"a":1}\n{"a":2}\n'),
    (JSONResponse, "application/json", '[{"a":1},{"a":2}]'),
    (Event, "text/event-stream", 'data: {"a":1}\n\ndata: {"a":2}\n\n'),
]


@pytest.mark.parametrize("make", ROUTERS)
@pytest.mark.parametrize(("response_class", "media_type", "text"), CLASSES)
@pytest.mark.parametrize("decorated", [False, True], ids=["", "@streaming"])
def test_a_response_class_says_how_a_stream_is_sent(
    make: Callable[[FastAPI], Any], response_class: type[Response], media_type: str, text: str, *, decorated: bool
) -> None:
    app = FastAPI()
    router = make(app)

    async def view() -> AsyncIterator[Item]:
        yield Item(a=1)
        yield Item(a=2)

    router.get("/", streaming=True, response_class=response_class)(streaming(view) if decorated else view)
    if isinstance(router, APIRouter):
        app.include_router(router)
    client = strict_client_of(app)
    answer = client.get("/")

    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.text.replace("retry: 2000\n\n", "retry: 2000\n") == text
    assert media_type in client.get("/openapi.json").json()["paths"]["/"]["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize("response_class", [HTMLResponse, PlainTextResponse])
def test_a_response_class_gives_text_its_media_type(response_class: type[Response]) -> None:
    app = FastAPI()

    @StreamAdapter(app).get("/", streaming=True, response_class=response_class)
    def view() -> Iterator[str]:
        yield "<p>"

    @app.get("/returned", response_class=response_class)
    def returned() -> Any:
        return iter(["<p>"])

    for path in ("/", "/returned"):
        answer = strict_client_of(app).get(path)
        assert (answer.text, answer.headers["content-type"]) == ("<p>", f"{response_class.media_type}; charset=utf-8")


def test_options_of_the_view_override_the_response_class() -> None:
    app = FastAPI()

    @StreamAdapter(app).get("/", response_class=EventSourceResponse)
    @streaming(format=CSV())
    def view() -> Iterator[Item]:
        yield Item(a=1)

    assert strict_client_of(app).get("/").text == "a\r\n1\r\n"


@pytest.mark.parametrize("make", ROUTERS)
@pytest.mark.parametrize("response_class", [FileResponse, RedirectResponse])
def test_a_response_class_that_cannot_be_streamed_is_refused_and_the_route_named(
    make: Callable[[FastAPI], Any], response_class: type[Response]
) -> None:
    router = make(FastAPI())

    with pytest.raises(TypeError, match=rf"^/rows: response_class: expected .*, got {response_class.__name__}"):
        router.get("/rows", streaming=True, response_class=response_class)(lambda: iter("a"))


def test_the_default_response_class_of_an_application_says_nothing_of_its_streams() -> None:
    app = FastAPI(default_response_class=HTMLResponse)
    StreamAdapter(app)

    @app.get("/")
    def view() -> Any:
        return iter([{"a": 1}])

    assert strict_client_of(app).get("/").headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("with_stream", [False, True], ids=["@streaming", "Stream"])
def test_event_source_response_on_a_bare_route_is_an_error_that_names_the_decorator(*, with_stream: bool) -> None:
    app = FastAPI()

    if with_stream:

        @app.get("/events", response_class=EventSourceResponse)
        async def with_dependency(stream: Stream) -> Response:
            return stream(sa.sse([]))

    else:

        @app.get("/events", response_class=EventSourceResponse)
        @streaming
        async def decorated() -> AsyncIterator[str]:
            yield "a"

    assert client_of(app).get("/events").status_code == 500
    with pytest.raises(TypeError, match=r"^/events: response_class=EventSourceResponse .* @streaming\.sse\(\)"):
        strict_client_of(app).get("/events")


RESPONSES: dict[str, Callable[[], Any]] = {
    "sse": lambda: sa.sse([{"a": 1}]),
    "sse with options": lambda: sa.sse(iter([]), headers={"X": "y"}, on_close=print, limits=sa.Limits()),
    "file": lambda: sa.file(Path(__file__)),
    "text": lambda: sa.text("a"),
    "defaults": lambda: sa.Response(iter("a")).with_defaults(media_type="text/csv"),
}


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_response_that_nothing_streams_is_an_error_that_names_the_decorator(kind: str) -> None:
    app = FastAPI()
    app.get("/")(lambda: RESPONSES[kind]())  # noqa: PLW0108  # without an annotation

    with pytest.raises(ValueError, match=r"put @streaming between the route decorator and the view"):
        strict_client_of(app).get("/")


METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", ROUTERS)
def test_the_route_decorators_take_all_that_fastapis_take(make: Callable[[FastAPI], Any], method: str) -> None:
    app, callbacks = FastAPI(), APIRouter()
    callbacks.post("/called")(lambda: None)
    router = make(app)
    options: dict[str, Any] = {
        "callbacks": callbacks.routes,
        "openapi_extra": {"x-own": True},
        "tags": ["t"],
        "summary": "s",
        "include_in_schema": True,
        "operation_id": "rows",
    }
    known = inspect.signature(getattr(FastAPI, method)).parameters

    assert set(options) <= set(known)
    getattr(router, method)(path="/rows", **options)(lambda: {"a": 1})
    if isinstance(router, APIRouter):
        app.include_router(router)
    operation = app.openapi()["paths"]["/rows"][method]

    assert (operation["x-own"], operation["operationId"], operation["tags"]) == (True, "rows", ["t"])
    assert list(operation["callbacks"]) == ["<lambda>"]


@pytest.mark.parametrize("make", [adapter_of, adapted])
def test_an_option_that_fastapi_does_not_take_is_an_error_where_it_is_written(make: Callable[[FastAPI], Any]) -> None:
    with pytest.raises(TypeError, match="streeming"):
        make(FastAPI()).get("/", streeming=True)


def test_an_option_of_an_application_of_ones_own_is_passed_on() -> None:
    seen = list[str]()

    class App(FastAPI):
        def get(self, path: str, *, role: str = "", **options: Any) -> Any:
            seen.append(role)
            return super().get(path, **options)

    app = App()
    adapter = StreamAdapter(app)
    adapter.get("/", role="admin", streaming=True)(lambda: iter("ab"))
    app.get("/other", role="user")(lambda: iter("ab"))

    assert set(seen) == {"admin", "user"}
    assert strict_client_of(app).get("/").text == strict_client_of(app).get("/other").text == "ab"


def test_a_router_shared_with_an_application_without_an_adapter_is_fastapis_there() -> None:
    router = APIRouter()

    @router.get("/")
    def view() -> Any:
        return (number for number in [1, 2])

    adapted_app, plain = FastAPI(), FastAPI()
    for app in (adapted_app, plain):
        app.include_router(router)
    StreamAdapter(adapted_app)

    for _ in range(2):
        assert strict_client_of(adapted_app).get("/").text == "12"
        assert strict_client_of(plain).get("/").json() == [1, 2]


def test_a_migrated_view_says_that_it_returns_a_streaming_response() -> None:
    app = FastAPI()

    @app.get("/")
    async def view(stream: Stream) -> StreamingResponse:
        return stream(iter("ab"))

    @app.get("/function")
    async def by_function() -> StreamingResponse:
        return stream_response(iter("ab"))

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        return answer

    client = strict_client_of(app)

    assert client.get("/").text == client.get("/function").text == "ab"
    assert isinstance(stream_response("a"), StreamingResponse)
