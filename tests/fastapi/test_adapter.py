"""`StreamAdapter`: what it streams, what it leaves to FastAPI, and on which routes."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, cast

import pytest
from fastapi import APIRouter, FastAPI, Response, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import stream_adapter as sa
from stream_adapter.formats import NDJSON
from stream_adapter.types import ASGIApp
from stream_adapter_fastapi import StreamAdapter, StreamRouter, streaming
from tests.fastapi.support import client_of, strict_client_of, websocket_to
from tests.fastapi.test_response import pass_on


def numbers() -> Iterator[str]:
    yield from "123"


async def anumbers() -> AsyncIterator[str]:
    for number in "123":
        yield number


def view() -> Any:
    return numbers()


async def aview() -> Any:
    return anumbers()


def view_of_a_response() -> sa.Response:
    return sa.text(numbers())


def view_said_to_iterate() -> Iterator[str]:
    return numbers()


async def aview_said_to_iterate() -> AsyncIterator[str]:
    return anumbers()


async def aview_said_to_be_iterable() -> Iterable[str]:
    return numbers()


def view_said_to_respond() -> Response:
    return numbers()  # type: ignore[return-value]  # users write it, and it works


def view_of_a_file() -> Any:
    return open(__file__, "rb")


def passing_on(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as most decorators do, async functions too: the result tells."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


async def aview_of(items: str) -> Any:
    return iter(items)


STREAMS: dict[str, Callable[[], Any]] = {
    "def → generator": view,
    "async def → async generator": aview,
    "→ sa.Response": view_of_a_response,
    "→ Iterator": view_said_to_iterate,
    "→ AsyncIterator": aview_said_to_iterate,
    "→ Iterable": aview_said_to_be_iterable,
    "→ fastapi.Response": view_said_to_respond,
    "decorated": passing_on(aview),
    "partial": functools.partial(aview_of, items="123"),
}


@pytest.mark.parametrize("view", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("options", [{}, {"streaming": True}], ids=["", "streaming=True"])
def test_a_returned_stream_is_streamed(view: Callable[[], Any], options: dict[str, Any]) -> None:
    app = FastAPI()
    adapter = StreamAdapter(app)
    adapter.get("/", **options)(view)

    answer = strict_client_of(app).get("/")

    assert (answer.text, answer.headers["content-type"]) == ("123", "text/plain; charset=utf-8")


def test_a_returned_file_is_streamed_and_closed() -> None:
    app = FastAPI()
    StreamAdapter(app)
    app.get("/")(view_of_a_file)

    assert strict_client_of(app).get("/").text.startswith('"""`StreamAdapter`')


class Item(BaseModel):
    name: str


def view_of_a_model() -> Item:
    return Item(name="n")


def view_of_items() -> Iterable[Item]:
    return [Item(name="n")]


def own_generator() -> Iterator[Item]:
    yield Item(name="n")


async def own_async_generator() -> AsyncIterator[int]:
    yield 1


OWN: dict[str, tuple[Callable[[], Any], str, str]] = {
    "list": (lambda: [1, 2], "[1,2]", "application/json"),
    "dict": (lambda: {"a": 1}, '{"a":1}', "application/json"),
    "text": (lambda: "a", '"a"', "application/json"),
    "model": (view_of_a_model, '{"name":"n"}', "application/json"),
    "models": (view_of_items, '[{"name":"n"}]', "application/json"),
    "its response": (lambda: PlainTextResponse("a"), "a", "text/plain; charset=utf-8"),
    "generator function": (own_generator, '{"name":"n"}\n', "application/jsonl"),
    "async generator function": (own_async_generator, "1\n", "application/jsonl"),
    "decorated generator function": (passing_on(own_generator), '{"name":"n"}\n', "application/jsonl"),
    "partial generator function": (functools.partial(own_generator), '{"name":"n"}\n', "application/jsonl"),
}


@pytest.mark.parametrize(("view", "body", "media_type"), OWN.values(), ids=OWN)
def test_adapter_leaves_fastapis_own_results_unchanged(view: Callable[[], Any], body: str, media_type: str) -> None:
    app = FastAPI()
    app.get("/before")(view)
    StreamAdapter(app)
    app.get("/after")(view)
    client = strict_client_of(app)

    for path in ("/before", "/after"):
        answer = client.get(path)
        assert (answer.text, answer.headers["content-type"]) == (body, media_type)


def app_with_routes_everywhere() -> FastAPI:
    """Give an app with the same views before and after the adapter, directly and in routers, nested and mounted."""
    app = FastAPI()
    early, late, inner, deepest = APIRouter(), APIRouter(), APIRouter(prefix="/inner"), APIRouter()
    mounted = APIRouter(routes=[Route("/plain", plain)])
    mounted.get("/api")(view)
    early.get("/in-early")(view)
    app.get("/before")(view)
    app.include_router(early)
    app.mount("/mount-before", mounted)
    StreamAdapter(app)
    app.get("/after")(aview)
    app.include_router(late, prefix="/late")
    early.get("/in-early-later")(aview)
    late.get("/in-late-later")(view)
    deepest.get("/deepest")(view)
    inner.include_router(deepest, prefix="/deep")
    late.include_router(inner)
    app.add_api_route("/added", aview, methods=["POST"])
    app.add_route("/plain", plain)
    app.mount("/mount-after", app=Mount("/x", routes=[Route("/plain", aplain)]))
    late.add_route("/plain", aplain)
    return app


def plain(_: Request) -> Any:
    return numbers()


async def aplain(_: Request) -> Any:
    return anumbers()


EVERYWHERE = [
    ("GET", "/before"),
    ("GET", "/in-early"),
    ("GET", "/in-early-later"),
    ("GET", "/after"),
    ("GET", "/late/in-late-later"),
    ("GET", "/late/inner/deep/deepest"),
    ("GET", "/late/plain"),
    ("POST", "/added"),
    ("GET", "/plain"),
    ("GET", "/mount-before/plain"),
    ("GET", "/mount-before/api"),
    ("GET", "/mount-after/x/plain"),
]


def test_routes_are_wrapped_wherever_they_are_declared() -> None:
    client = strict_client_of(app_with_routes_everywhere())

    answers = {path: client.request(method, path) for method, path in EVERYWHERE}

    assert {path: answer.text for path, answer in answers.items()} == dict.fromkeys(answers, "123")
    types = {answer.headers["content-type"] for answer in answers.values()}
    assert types == {"text/plain; charset=utf-8"}  # where FastAPI would have sent a JSON list


def test_a_route_whose_url_was_built_before_is_wrapped() -> None:
    app, router = FastAPI(), APIRouter()
    router.get("/rows", name="rows")(view)
    app.include_router(router)
    StreamAdapter(app)

    assert app.url_path_for("rows") == "/rows"  # which makes FastAPI prepare the routes of the router
    assert strict_client_of(app).get("/rows").text == "123"


METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("router", [FastAPI, StreamRouter, APIRouter], ids=["app", "StreamRouter", "adapter"])
def test_every_route_decorator_takes_streaming(method: str, router: type[FastAPI | APIRouter]) -> None:
    app = FastAPI()
    adapter = StreamAdapter(app)
    on = app if router is FastAPI else StreamRouter() if router is StreamRouter else adapter
    decorate = getattr(on, method)

    assert decorate("/", streaming=True, status_code=201, name="rows")(view) is view
    if isinstance(on, APIRouter):
        app.include_router(on)
    answer = strict_client_of(app).request(method.upper(), "/")

    assert (answer.status_code, answer.text) == (201, "" if method == "head" else "123")
    assert app.url_path_for("rows") == "/"


@pytest.mark.parametrize("on", ["app", "StreamRouter"])
def test_api_route_and_add_api_route_take_streaming(on: str) -> None:
    app = FastAPI()
    StreamAdapter(app)
    router: Any = app if on == "app" else StreamRouter()
    router.api_route("/decorated", methods=["GET", "PUT"], streaming=True)(view)
    router.add_api_route("/added", aview, methods=["PATCH"], streaming=True)
    if router is not app:
        app.include_router(router)
    client = strict_client_of(app)

    answers = [client.get("/decorated"), client.put("/decorated"), client.patch("/added")]

    assert [answer.text for answer in answers] == ["123", "123", "123"]


def test_streaming_streams_a_generator_function() -> None:
    app = FastAPI()
    adapter = StreamAdapter(app, format=NDJSON())
    adapter.get("/", streaming=True)(own_generator)

    assert strict_client_of(app).get("/").headers["content-type"] == "application/x-ndjson"


def test_a_result_that_streaming_cannot_stream_is_an_error_that_names_the_view() -> None:
    app = FastAPI()
    adapter = StreamAdapter(app)

    @adapter.get("/", streaming=True)
    def listing() -> object:
        return object()

    assert client_of(app).get("/").status_code == 500
    with pytest.raises(TypeError, match=r"listing returned what cannot be streamed"):
        strict_client_of(app).get("/")


def test_adapter_defaults_apply_to_every_stream_of_the_application() -> None:
    app = FastAPI()
    StreamAdapter(app, headers={"X-Default": "app", "X-Own": "app"}, format=NDJSON())

    @app.get("/returned")
    def returned() -> Any:
        return numbers()

    @app.get("/decorated")
    @streaming(media_type="text/csv", headers={"X-Own": "view"})
    def decorated() -> Iterator[str]:
        yield from "123"

    client = strict_client_of(app)
    first, second = client.get("/returned"), client.get("/decorated")

    assert (first.text, first.headers["content-type"]) == ('"1"\n"2"\n"3"\n', "application/x-ndjson")
    assert (second.text, second.headers["content-type"]) == ("123", "text/csv; charset=utf-8")
    assert [answer.headers["x-default"] for answer in (first, second)] == ["app", "app"]
    assert [answer.headers["x-own"] for answer in (first, second)] == ["app", "view"]


def test_a_bad_default_is_an_error_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="status_code"):
        StreamAdapter(FastAPI(), status_code=99)


@pytest.mark.parametrize("app", [APIRouter(), 5], ids=["router", "number"])
def test_what_is_not_an_application_is_refused(app: Any) -> None:
    with pytest.raises(TypeError, match=r"^StreamAdapter: expected a FastAPI or .* got (APIRouter|int);"):
        StreamAdapter(app)


def test_adapter_as_a_middleware_is_refused_and_says_how_it_is_called() -> None:
    app = FastAPI()
    app.add_middleware(cast("Any", StreamAdapter))
    with pytest.raises(TypeError, match=r"call StreamAdapter\(app\) once, without add_middleware"):
        strict_client_of(app).get("/")


def test_a_router_is_adapted_only_in_the_applications_that_have_an_adapter() -> None:
    router, adapted, other = APIRouter(), FastAPI(), FastAPI()
    router.get("/")(view)
    adapted.include_router(router)
    other.include_router(router)
    StreamAdapter(adapted)

    assert strict_client_of(adapted).get("/").text == "123"
    assert strict_client_of(other).get("/").json() == ["1", "2", "3"]


def test_an_application_that_is_mounted_is_not_adapted() -> None:
    app, mounted = FastAPI(), FastAPI()
    mounted.get("/")(view)
    app.mount("/mounted", mounted)
    StreamAdapter(app)

    assert strict_client_of(app).get("/mounted/").json() == ["1", "2", "3"]


def test_a_starlette_application_is_adapted_below_the_middleware_of_its_routes() -> None:
    def generates(_: Request) -> Iterator[str]:
        yield from "123"

    app = Starlette(
        routes=[
            Route("/plain", plain, middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)]),
            Route("/generates", generates),
            Mount("/mount", routes=[Route("/aplain", aplain)]),
            Mount("/asgi", app=sa.Response(["1", "2", "3"])),
        ]
    )
    StreamAdapter(app, media_type="text/csv")
    app.add_route("/later", aplain)
    client = strict_client_of(app)

    for path in ("/plain", "/generates", "/mount/aplain", "/later"):
        answer = client.get(path)
        assert (answer.text, answer.headers["content-type"]) == ("123", "text/csv; charset=utf-8")
    assert client.get("/plain").headers["x-middleware"] == "1"
    assert client.get("/asgi/").text == "123"


def test_adapter_leaves_websocket_routes_unchanged() -> None:
    app = FastAPI()
    StreamAdapter(app)

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    with websocket_to(app, "/ws") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


def test_the_adapter_costs_a_request_no_middleware() -> None:
    app = FastAPI()
    seen = list[ASGIApp]()

    def note(inner: ASGIApp) -> ASGIApp:
        seen.append(inner)
        return inner

    app.add_middleware(note)
    StreamAdapter(app)
    app.add_middleware(note)
    app.get("/")(view)

    assert strict_client_of(app).get("/").text == "123"
    assert seen[0] is seen[1]
