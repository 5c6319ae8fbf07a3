"""`@streaming`: every kind of view, every kind of result, in FastAPI and in Starlette."""

from __future__ import annotations

import functools
import inspect
import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import pytest
from fastapi import Depends, FastAPI, HTTPException, Path
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter.formats import NDJSON
from stream_adapter_fastapi import StreamAdapter, stream_response, streaming
from tests.fastapi.support import client_of, strict_client_of

if TYPE_CHECKING:
    from decimal import Decimal  # a name that is not there at run time, as annotations may be


def numbers() -> Iterator[str]:
    yield from "123"


async def anumbers() -> AsyncIterator[str]:
    for number in "123":
        yield number


@streaming
def generator_function() -> Iterator[str]:
    yield from numbers()


@streaming
async def async_generator_function() -> AsyncIterator[str]:
    async for number in anumbers():
        yield number


@streaming
def sync_view_of_a_generator() -> Iterator[str]:
    return numbers()


@streaming
def sync_view_of_an_async_generator() -> AsyncIterator[str]:
    return anumbers()


@streaming
async def async_view_of_a_generator() -> Iterator[str]:
    return numbers()


@streaming
async def async_view_of_an_async_generator() -> AsyncIterator[str]:
    return anumbers()


@streaming()
def view_of_a_response() -> sa.Response:
    return sa.text(numbers())


@streaming
async def view_of_a_list() -> list[str]:
    return ["1", "2", "3"]


@streaming
def view_of_text() -> str:
    return "123"


@streaming
def view_of_a_file() -> io.BytesIO:
    return io.BytesIO(b"123")


@streaming
def view_of_starlettes_response() -> Response:
    return PlainTextResponse("123")


@streaming
async def view_of_stream_response() -> Response:
    return stream_response(anumbers())


class Callables:
    def __call__(self) -> Iterator[str]:
        return numbers()

    @streaming
    def method(self) -> Iterator[str]:
        yield from numbers()


class AsyncCallable:
    async def __call__(self) -> AsyncIterator[str]:
        return anumbers()


def of_three(first: str, *, second: str, third: str = "3") -> Iterator[str]:
    yield from (first, second, third)


def shouting(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as most decorators do, async functions too: the result tells."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


async def plain_async_view() -> AsyncIterator[str]:
    return anumbers()


VIEWS: dict[str, Callable[..., Any]] = {
    "generator function": generator_function,
    "async generator function": async_generator_function,
    "def → generator": sync_view_of_a_generator,
    "def → async generator": sync_view_of_an_async_generator,
    "async def → generator": async_view_of_a_generator,
    "async def → async generator": async_view_of_an_async_generator,
    "→ Response": view_of_a_response,
    "→ list": view_of_a_list,
    "→ text": view_of_text,
    "→ file": view_of_a_file,
    "→ Starlette's Response": view_of_starlettes_response,
    "→ stream_response(…)": view_of_stream_response,
    "callable object": streaming(Callables()),
    "async callable object": streaming(AsyncCallable()),
    "bound method": Callables().method,
    "partial": streaming(functools.partial(of_three, "1", second="2", third="3")),
    "decorated below": streaming(shouting(plain_async_view)),
    "decorated above": shouting(sync_view_of_a_generator),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_every_kind_of_view_streams_from_fastapi(view: Callable[..., Any]) -> None:
    app = FastAPI()
    app.get("/")(view)

    answer = strict_client_of(app).get("/")

    assert (answer.status_code, answer.text) == (200, "123")


RESULTS: dict[str, Callable[[], object]] = {
    "generator": numbers,
    "async generator": anumbers,
    "Response": lambda: sa.Response(numbers()),
    "list": lambda: ["1", "2", "3"],
    "Starlette's Response": lambda: PlainTextResponse("123"),
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_every_kind_of_result_streams_from_starlette(result: Callable[[], object]) -> None:
    @streaming
    def view(request: Request) -> object:
        return result()

    @streaming
    async def aview(request: Request) -> object:
        return result()

    client = strict_client_of(Starlette(routes=[Route("/sync", view), Route("/async", aview)]))

    assert (client.get("/sync").text, client.get("/async").text) == ("123", "123")


def test_a_starlette_view_is_given_its_request() -> None:
    @streaming
    def rows(request: Request) -> Iterator[str]:
        yield request.query_params["name"]

    @streaming
    async def arows(request: Request) -> AsyncIterator[str]:
        yield request.query_params["name"]

    client = strict_client_of(Starlette(routes=[Route("/rows", rows), Route("/arows", arows)]))

    assert [client.get(f"/{path}?name=n").text for path in ("rows", "arows")] == ["n", "n"]


def test_a_method_of_an_endpoint_class_streams() -> None:
    class Rows(HTTPEndpoint):
        @streaming
        def get(self, request: Request) -> Iterator[str]:
            yield request.method

        @streaming
        async def post(self, request: Request) -> AsyncIterator[str]:
            yield request.method

    client = strict_client_of(Starlette(routes=[Route("/", Rows)]))

    assert (client.get("/").text, client.post("/").text) == ("GET", "POST")


def test_parameters_written_as_text_are_resolved_where_they_were_written() -> None:
    parameters = inspect.signature(streaming(of_three)).parameters

    assert [parameters[name].annotation for name in ("first", "second", "third")] == [str, str, str]


def with_callables(found: Callables, **others: Callables) -> Iterator[str]:
    yield "1"


def test_a_wrapper_has_the_name_and_the_annotations_of_the_view() -> None:
    wrapped = streaming(with_callables)

    assert get_type_hints(wrapped)["found"] is Callables
    assert [*inspect.signature(wrapped).parameters][::2] == ["found", "others"]
    assert (wrapped.__name__, streaming(Callables()).__name__) == ("with_callables", "Callables")


def test_a_view_keeps_its_parameters_and_dependencies() -> None:
    app = FastAPI()

    @app.get("/{count}")
    @streaming(format=NDJSON())
    def rows(
        count: Annotated[int, Path(ge=1)], name: str = "n", twice: Annotated[bool, Depends(lambda: True)] = False
    ) -> Iterator[dict[str, object]]:
        for number in range(count):
            yield {name: number, "twice": twice}

    client = strict_client_of(app)

    assert client.get("/2?name=x").text == '{"x":0,"twice":true}\n{"x":1,"twice":true}\n'
    assert client.get("/0").status_code == 422


@streaming
async def priced(request: Request) -> AsyncIterator[Decimal]:
    yield request.url.path  # type: ignore[misc]  # what the annotation says is not looked at, and cannot be


def test_a_return_annotation_for_type_checkers_only_does_not_matter() -> None:
    fastapi = FastAPI()
    fastapi.get("/")(priced)

    for app in (fastapi, Starlette(routes=[Route("/", priced)])):
        assert strict_client_of(app).get("/").text == "/"


UNSTREAMABLE: dict[str, tuple[object, str]] = {
    "object": (object(), "returned what cannot be streamed; content: expected bytes, text"),
    "None": (None, "returned None; yield, or return something to stream"),
    "function": (numbers, "expected a generator, got generator function numbers; call it"),
}


@pytest.mark.parametrize(("result", "problem"), UNSTREAMABLE.values(), ids=UNSTREAMABLE)
def test_a_result_that_cannot_be_streamed_is_an_error_that_names_the_view(result: object, problem: str) -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    def listing() -> object:
        return result

    assert client_of(app).get("/").status_code == 500
    with pytest.raises(TypeError, match=r"listing returned") as raised:
        strict_client_of(app).get("/")
    assert problem in str(raised.value)


BAD_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "unknown": ({"colour": "red"}, TypeError),
    "description": ({"description": "text"}, TypeError),
    "status": ({"status_code": 99}, ValueError),
    "media type": ({"media_type": "csv"}, ValueError),
    "header": ({"headers": {"X": "a\r\nb"}}, ValueError),
}


@pytest.mark.parametrize(("options", "error"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_is_an_error_where_it_is_written(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        streaming(**options)


def test_a_response_of_the_view_comes_before_the_options_of_the_decorator() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(status_code=202, media_type="text/csv", headers={"X-One": "decorator", "X-Two": "decorator"})
    def rows() -> sa.Response:
        return sa.Response(numbers(), media_type="text/markdown", headers={"X-One": "view"})

    answer = strict_client_of(app).get("/")

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert (answer.headers["x-one"], answer.headers["x-two"]) == ("view", "decorator")


def test_an_exception_of_the_view_itself_is_the_frameworks_to_answer() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    async def rows() -> object:
        raise HTTPException(418, "teapot")

    answer = strict_client_of(app).get("/")

    assert (answer.status_code, answer.json()) == (418, {"detail": "teapot"})


BY_FORMAT: dict[str, tuple[Any, str, bytes]] = {
    "sse": (streaming.sse(retry=None, end="over"), "text/event-stream", b"data: 1\n\n"),
    "sse by a profile": (streaming.sse(profile="openai"), "text/event-stream", b"data: [DONE]\n\n"),
    "ndjson": (streaming.ndjson(), "application/x-ndjson", b'"1"\n"2"\n"3"\n'),
    "json_array": (streaming.json_array(), "application/json", b'["1","2","3"]'),
    "json_seq": (streaming.json_seq(), "application/json-seq", b'\x1e"1"\n'),
    "text": (streaming.text(), "text/plain; charset=utf-8", b"123"),
    "html": (streaming.html(status_code=202), "text/html; charset=utf-8", b"123"),
    "sse without parentheses": (streaming.sse, "text/event-stream", b"data: 1\n\n"),
    "json_array without parentheses": (streaming.json_array, "application/json", b'["1","2","3"]'),
}


@pytest.mark.parametrize(("decorator", "media_type", "body"), BY_FORMAT.values(), ids=BY_FORMAT)
@pytest.mark.parametrize("source", [numbers, anumbers], ids=["sync", "async"])
def test_a_generator_view_has_the_options_of_its_format_where_it_is_written(
    decorator: Any, source: Callable[[], Any], media_type: str, body: bytes
) -> None:
    items: Any = [{"id": number} for number in range(2)] if decorator is BY_FORMAT["sse by a profile"][0] else None

    def view() -> Any:
        return source() if items is None else iter(items)

    app = FastAPI()
    app.get("/")(decorator(view))
    answer = strict_client_of(app).get("/")
    assert answer.headers["content-type"] == media_type
    assert body in answer.content


def test_the_document_has_the_media_type_of_the_decorators_format() -> None:
    app = FastAPI()
    StreamAdapter(app)
    app.get("/")(streaming.sse(keepalive=5)(anumbers))
    content = app.openapi()["paths"]["/"]["get"]["responses"]["200"]["content"]
    assert list(content) == ["text/event-stream"]


def test_a_bad_option_of_a_format_is_an_error_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"did you mean .*@streaming\.sse\(keepalive=…\)"):
        streaming(keepalive=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # must be refused
    with pytest.raises(ValueError, match="profile: expected"):
        streaming.sse(profile="none")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]  # must be refused
