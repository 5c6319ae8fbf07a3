"""FastAPI's output contract: what a route declares of its output holds for each item of its stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import ServerSentEvent
from pydantic import BaseModel, Field, PlainSerializer

import stream_adapter as sa
from stream_adapter.formats import CSV, NDJSON, SSE, JSONArray, JSONSeq
from stream_adapter.testing import ASGIStreamTransport
from stream_adapter_fastapi import Stream, StreamAdapter, StreamResponse, StreamRouter, stream_response, streaming
from tests.fastapi.support import client_of, strict_client_of


class Public(BaseModel):
    name: str
    user_id: int = Field(default=7, serialization_alias="userId")
    note: str | None = None


class User(Public):
    password: str = "hunter2"


def name_of_user(user: User) -> str:
    return user.name


class Row:
    """What an ORM gives: its attributes are read."""

    def __init__(self) -> None:
        self.name = "ada"
        self.user_id = 7
        self.note = None
        self.password = "hunter2"


ITEMS: dict[str, Callable[[], Any]] = {
    "subclass": lambda: User(name="ada"),
    "dict": lambda: {"name": "ada", "password": "hunter2"},
    "object": Row,
}
SENT = {"name": "ada", "userId": 7, "note": None}


def read_lines(body: str) -> list[Any]:
    return [json.loads(line) for line in body.splitlines()]


def read_events(body: str) -> list[Any]:
    return [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]


def read_csv(body: str) -> list[Any]:
    header, *rows = (line.split(",") for line in body.splitlines())
    cells: dict[str, Callable[[str], Any]] = {"userId": int, "note": lambda cell: cell or None}
    return [{name: cells.get(name, str)(cell) for name, cell in zip(header, row, strict=True)} for row in rows]


FORMATS: dict[str, tuple[dict[str, Any], Callable[[str], list[Any]]]] = {
    "auto": ({}, read_lines),
    "ndjson": ({"format": NDJSON()}, read_lines),
    "ndjson by json.dumps": ({"format": NDJSON(json.dumps)}, read_lines),
    "json_array": ({"format": JSONArray()}, json.loads),
    "json_seq": ({"format": JSONSeq()}, lambda body: read_lines(body.replace("\x1e", ""))),
    "sse": ({"format": SSE()}, read_events),
    "csv": ({"format": CSV()}, read_csv),
}


def by_decorator(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/")
    @streaming(**options)
    def view() -> Iterator[Public]:
        return iter([items()])


def by_async_decorator(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/")
    @streaming(**options)
    async def view() -> AsyncIterator[Public]:
        yield items()


def by_response_model(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/", response_model=Public)
    @streaming(**options)
    async def view() -> Any:
        yield items()


def by_stream(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/", response_model=list[Public])
    async def view(stream: Stream) -> Response:
        return stream(iter([items()]), **options)


def by_adapter(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    StreamAdapter(app, **options)

    @app.get("/", response_model=list[Public])
    def view() -> Any:
        return iter([items()])


def by_adapter_and_annotation(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/", response_model=None)
    def before() -> Any:
        return iter([items()])

    app.router.routes.clear()
    StreamAdapter(app, **options)

    @app.get("/")
    def view() -> Iterator[Public]:
        return iter([items()])


def by_adapter_before(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/")
    def view() -> Iterable[Public]:
        return iter([items()])

    StreamAdapter(app, **options)


def by_streaming_true(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    adapter = StreamAdapter(app, **options)

    @adapter.get("/", streaming=True)
    async def view() -> AsyncIterable[Public]:
        yield items()


def by_router(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    router = StreamRouter()

    @router.get("/", streaming=True)
    async def view() -> AsyncGenerator[Public, None]:
        yield items()

    app.include_router(router)
    app.state.stream_adapter = options


def by_inner_response(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/")
    @streaming
    def view() -> Generator[Public]:
        return sa.Response(iter([items()]), **options)  # type: ignore[return-value]  # users write it, and it works


def by_stream_response(app: FastAPI, items: Callable[[], Any], options: dict[str, Any]) -> None:
    @app.get("/", response_model=Public)
    def view() -> Response:
        return stream_response(iter([items()]), **options)


WAYS = [
    by_decorator,
    by_async_decorator,
    by_response_model,
    by_stream,
    by_adapter,
    by_adapter_and_annotation,
    by_adapter_before,
    by_streaming_true,
    by_router,
    by_inner_response,
    by_stream_response,
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("way", "kind"), [*((way, "subclass") for way in WAYS), (by_decorator, "dict"), (by_stream, "object")]
)
def test_each_item_is_serialized_by_the_response_model(way: Any, format: str, kind: str) -> None:
    app, (options, read) = FastAPI(), FORMATS[format]
    way(app, ITEMS[kind], options)

    answer = strict_client_of(app).get("/")

    assert read(answer.text) == [SENT]
    assert "hunter2" not in answer.text
    if format == "auto":
        assert answer.headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize(
    ("way", "format"), [*((way, "auto") for way in WAYS), *((by_decorator, format) for format in FORMATS)]
)
def test_a_first_item_that_does_not_fit_is_a_500_that_names_view_and_item(way: Any, format: str) -> None:
    app, (options, _) = FastAPI(), FORMATS[format]
    way(app, lambda: {"nope": "hunter2"}, {**options, "commit_after": None})

    assert client_of(app).get("/").status_code == 500
    with pytest.raises(
        ResponseValidationError, match=r"^chunk 0: .*view: expected an item of Public, got dict; name: Field required$"
    ):
        strict_client_of(app).get("/")


def test_an_item_that_does_not_fit_breaks_the_stream_and_is_named_without_its_values() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(limits=sa.Limits(high_water=1))
    def view() -> Iterator[Public]:
        yield User(name="ada")
        yield {"password": "hunter2"}  # type: ignore[misc]  # what does not fit

    with pytest.raises(sa.ChunkEncodingError) as raised:
        strict_client_of(app).get("/")

    assert str(raised.value).endswith("view: expected an item of Public, got dict; name: Field required")
    assert str(raised.value).startswith("chunk 1: ")
    assert "hunter2" not in str(raised.value)


def test_handler_of_response_validation_error_answers_an_invalid_first_item() -> None:
    app = FastAPI()

    @app.exception_handler(ResponseValidationError)
    async def handle(_: Request, error: ResponseValidationError) -> Response:
        return JSONResponse([problem["loc"] for problem in error.errors()], 502)

    @app.get("/")
    @streaming
    def view() -> Iterator[Public]:
        yield {}  # type: ignore[misc]  # what does not fit

    answer = client_of(app).get("/")

    assert (answer.status_code, answer.json()) == (502, [["name"]])


@pytest.mark.parametrize("format", ["ndjson", "sse", "csv", "json_array"])
@pytest.mark.parametrize("returned", [None, Any, Iterator[Any], list, StreamResponse])
def test_options_hold_for_items_without_a_model(returned: Any, format: str) -> None:
    app = FastAPI()
    StreamAdapter(app)

    def view() -> Any:
        return getattr(sa, format)(iter([User(name="ada"), User(name="eve")]))

    view.__annotations__ = {} if returned is None else {"return": returned}
    app.get("/", response_model_exclude={"password"})(view)

    text = strict_client_of(app).get("/").text

    assert "ada" in text
    assert "eve" in text
    assert "hunter2" not in text


def test_text_and_bytes_pass_where_options_alone_are_given() -> None:
    app = FastAPI()
    StreamAdapter(app)
    app.get("/", response_model_exclude={"password"})(lambda: iter(["a", b"\xff"]))

    assert strict_client_of(app).get("/").content == b"a\xff"


def test_empty_set_of_included_fields_includes_none() -> None:
    app = FastAPI()

    @app.get("/", response_model_include=set())
    @streaming
    def view() -> Iterator[Public]:
        yield User(name="ada")

    assert strict_client_of(app).get("/").json() == {}


@pytest.mark.parametrize("way", ["handler", "handler of Exception", "middleware"])
def test_stream_that_answers_in_place_of_the_view_has_no_contract(way: str) -> None:
    app = FastAPI()
    StreamAdapter(app)

    async def answer(*_: object) -> StreamResponse:
        return stream_response(sa.ndjson([{"error": "full"}]), status_code=503)

    if way == "middleware":

        @app.middleware("http")
        async def refuse(request: Request, call_next: Any) -> Response:
            await call_next(request)
            return await answer()
    else:
        app.exception_handler(LookupError if way == "handler" else Exception)(answer)

    @app.get("/", response_model=list[Public])
    def view() -> Any:
        raise LookupError

    @app.get("/stream")
    @streaming
    def stream() -> Iterator[Public]:
        raise LookupError
        yield

    def conceal(_: Request, error: Exception) -> Response:
        return JSONResponse(type(error).__name__)

    if way == "middleware":
        app.exception_handler(LookupError)(conceal)
    answers = [client_of(app).get(path) for path in ("/", "/stream")]

    assert [(answer.status_code, answer.text) for answer in answers] == [(503, '{"error":"full"}\n')] * 2


class Full(BaseModel):
    a: int = 1
    b: str | None = None
    c: str = Field(default="c", serialization_alias="seaName")


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"a": 1, "b": None, "seaName": "c"}),
    ({"response_model_by_alias": False}, {"a": 1, "b": None, "c": "c"}),
    ({"response_model_exclude_none": True}, {"a": 1, "seaName": "c"}),
    ({"response_model_exclude_unset": True}, {"a": 1}),
    ({"response_model_exclude_defaults": True}, {}),
    ({"response_model_include": {"a"}}, {"a": 1}),
    ({"response_model_exclude": {"a"}}, {"b": None, "seaName": "c"}),
    ({"response_model": list[Full], "response_model_exclude": {"__all__": {"a"}}}, {"b": None, "seaName": "c"}),
    ({"response_model": list[Full], "response_model_include": {"__all__": {"a": True}}}, {"a": 1}),
    ({"response_model": None}, {"a": 1, "b": None, "c": "c"}),
]


@pytest.mark.parametrize(("options", "sent"), OPTIONS)
@pytest.mark.parametrize("way", ["streaming", "adapter", "router"])
def test_the_options_of_the_response_model_hold(options: dict[str, Any], sent: dict[str, Any], way: str) -> None:
    app = FastAPI()
    router: Any = StreamAdapter(app) if way == "adapter" else StreamRouter() if way == "router" else app

    @streaming
    def view() -> Iterator[Full]:
        yield Full(a=1)

    router.get("/", **options)(view)
    if way == "router":
        app.include_router(router, prefix="")

    assert strict_client_of(app).get("/").json() == sent


def test_contract_sends_the_same_bytes_as_fastapis_own_stream() -> None:
    app = FastAPI()
    StreamAdapter(app)

    @app.get("/native", response_model_exclude_none=True)
    async def native() -> AsyncIterable[Public]:
        yield User(name="ada")

    @app.get("/streamed", response_model_exclude_none=True)
    @streaming
    async def streamed() -> AsyncIterable[Public]:
        yield User(name="ada")

    client = strict_client_of(app)

    assert client.get("/streamed").text == client.get("/native").text == '{"name":"ada","userId":7}\n'


@pytest.mark.parametrize("item", ["item", "event"])
def test_the_data_of_events_is_what_its_model_says(item: str) -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(format=SSE(retry=None))
    async def view() -> AsyncIterator[Public | sa.ServerSentEvent]:
        if item == "event":
            yield sa.ServerSentEvent(comment="hello")
        yield User(name="ada") if item == "item" else sa.ServerSentEvent(User(name="ada"), event="user", id="1")

    lines = strict_client_of(app).get("/").text.split("\n")

    assert 'data: {"name":"ada","userId":7,"note":null}' in lines
    assert item == "item" or {"event: user", "id: 1", ": hello"} < set(lines)


def test_data_of_a_fastapi_event_is_validated_by_the_model() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    async def view() -> AsyncIterator[Public | ServerSentEvent]:
        yield ServerSentEvent(data=User(name="ada"), event="user", id="1")

    text = strict_client_of(app).get("/").text

    assert 'event: user\nid: 1\ndata: {"name":"ada","userId":7,"note":null}\n' in text


def test_the_data_of_an_event_that_does_not_fit_is_an_error() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(format=SSE(), commit_after=None)
    async def view() -> AsyncIterator[Public]:
        yield sa.ServerSentEvent({"nope": 1})  # type: ignore[misc]  # what does not fit

    with pytest.raises(ResponseValidationError, match=r"^chunk 0: .*view: expected an item of Public, got dict"):
        strict_client_of(app).get("/")


def test_events_said_to_be_events_carry_anything() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    async def view() -> AsyncIterator[sa.ServerSentEvent]:
        yield sa.ServerSentEvent({"any": 1})

    assert 'data: {"any":1}' in strict_client_of(app).get("/").text


def text_of(answer: httpx2.Response) -> tuple[str, str]:
    return answer.text, answer.headers["content-type"].partition(";")[0]


CHUNKS: list[tuple[Any, Any, dict[str, Any], tuple[str, str]]] = [
    (Iterator[str], ["a", "b"], {}, ("ab", "text/plain")),
    (Iterator[bytes], [b"a", bytearray(b"b"), memoryview(b"c")], {}, ("abc", "application/octet-stream")),
    (Iterator[Public], ["raw,", b"bytes\n"], {"media_type": "text/csv"}, ("raw,bytes\n", "text/csv")),
    (Iterator[str], ["a", "b"], {"format": NDJSON()}, ('"a"\n"b"\n', "application/x-ndjson")),
    (Iterator[str], ["a"], {"format": SSE(retry=None)}, ("data: a\n\n", "text/event-stream")),
    (Iterator[int], [1, "2"], {}, ("12", "text/plain")),
    (Iterator[int | str], [1, "b"], {"format": NDJSON()}, ('1\n"b"\n', "application/x-ndjson")),
]


@pytest.mark.parametrize(("annotation", "chunks", "options", "sent"), CHUNKS)
def test_text_and_bytes_are_chunks_where_no_format_makes_items_of_them(
    annotation: Any, chunks: list[Any], options: dict[str, Any], sent: tuple[str, str]
) -> None:
    app = FastAPI()

    def view() -> Any:
        yield from chunks

    view.__annotations__["return"] = annotation
    app.get("/")(streaming(**options)(view))

    assert text_of(strict_client_of(app).get("/")) == sent


@pytest.mark.parametrize("options", [{}, {"format": SSE()}, {"format": NDJSON()}])
def test_text_annotation_is_enforced_in_every_format(options: dict[str, Any]) -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(**options)
    async def view(word: str) -> AsyncIterator[Annotated[str, Field(max_length=3), PlainSerializer(str.upper)]]:
        yield word

    assert "ABC" in strict_client_of(app).get("/?word=abc").text
    assert client_of(app).get("/?word=abcd").status_code == 500


@pytest.mark.parametrize("is_event", [False, True])
def test_a_model_that_is_written_as_text_is_that_text_as_json_in_events(*, is_event: bool) -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(format=SSE())
    async def view() -> AsyncIterator[Annotated[User, PlainSerializer(name_of_user, str)] | sa.ServerSentEvent]:
        user = User(name="ada")
        yield sa.ServerSentEvent(user) if is_event else user

    assert strict_client_of(app).get("/").text.endswith('\ndata: "ada"\n\n')


def test_text_where_the_model_is_another_is_an_error() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    def view() -> Iterator[Public]:
        yield "hunter2"  # type: ignore[misc]  # what does not fit

    with pytest.raises(ResponseValidationError, match="expected an item of Public, got str"):
        strict_client_of(app).get("/")


def test_values_under_a_media_type_of_ones_own_are_filtered() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(media_type="application/x-ndjson")
    def view() -> Iterator[Public]:
        yield User(name="ada")

    assert read_lines(strict_client_of(app).get("/").text) == [SENT]


def test_one_value_is_a_document_that_is_filtered() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    def view() -> Public:
        return User(name="ada")

    answer = strict_client_of(app).get("/")

    assert (answer.json(), answer.headers["content-type"]) == (SENT, "application/json")


def of_inner_stream(app: FastAPI) -> None:
    @app.get("/")
    async def view(stream: Stream) -> StreamResponse:
        return stream(iter([User(name="ada")]))


def of_stream_response(app: FastAPI) -> None:
    @app.get("/")
    async def view() -> StreamingResponse:
        return stream_response(iter([User(name="ada")]))


def of_core_response(app: FastAPI) -> None:
    @app.get("/")
    @streaming
    async def view() -> sa.Response:
        return sa.ndjson(iter([User(name="ada")]))


def of_nothing(app: FastAPI) -> None:
    @app.get("/")
    @streaming
    async def view():  # type: ignore[no-untyped-def]  # users write it
        yield User(name="ada")


def of_anything(app: FastAPI) -> None:
    @app.get("/")
    @streaming
    async def view() -> AsyncIterator[Any]:
        yield User(name="ada")


@pytest.mark.parametrize("way", [of_inner_stream, of_stream_response, of_core_response, of_nothing, of_anything])
def test_view_without_annotation_has_no_contract(way: Any) -> None:
    app = FastAPI()
    way(app)

    assert strict_client_of(app).get("/").json()["password"] == "hunter2"


async def _received_until_it_breaks(app: FastAPI) -> bytes:
    host = ASGIStreamTransport(app, raise_app_exceptions=False)
    received = b""
    async with httpx2.AsyncClient(transport=host, base_url="http://test") as client, client.stream("GET", "/") as it:
        with pytest.raises(httpx2.RemoteProtocolError):
            async for block in it.aiter_raw():
                received += block
    return received


def test_on_error_chunk_is_not_validated() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(format=NDJSON(), on_error=lambda _: {"failed": True}, limits=sa.Limits(high_water=1))
    def view() -> Iterator[Public]:
        yield User(name="ada")
        raise RuntimeError("boom")

    assert asyncio.run(_received_until_it_breaks(app)).endswith(b'{"failed":true}\n')


def test_a_list_under_the_adapter_stays_fastapis_and_filtered() -> None:
    app = FastAPI()
    StreamAdapter(app)

    @app.get("/")
    def view() -> Iterator[Public]:
        return [User(name="ada")]  # type: ignore[return-value]  # users write it

    assert strict_client_of(app).get("/").json() == [SENT]


def test_an_annotation_that_cannot_be_checked_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Opaque:
        pass

    app = FastAPI()

    @app.get("/")
    @streaming(format=NDJSON())
    def view() -> Iterator[Opaque]:
        yield {"a": 1}  # type: ignore[misc]  # what is not one

    assert strict_client_of(app).get("/").json() == {"a": 1}
    assert "view: items are sent as they are" in caplog.text


def test_a_union_is_each_of_its_members() -> None:
    class Cat(BaseModel):
        meow: int

    class Dog(BaseModel):
        bark: int

    app = FastAPI()

    @app.get("/")
    @streaming(format=NDJSON())
    def view() -> Iterator[Cat | Dog | None]:
        yield from (Cat(meow=1), Dog(bark=2), None)

    assert read_lines(strict_client_of(app).get("/").text) == [{"meow": 1}, {"bark": 2}, None]


def test_nan_is_an_error_where_the_schema_has_a_number() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(format=NDJSON())
    def view() -> Iterator[float]:
        yield float("nan")

    with pytest.raises(sa.ChunkEncodingError, match="expected a finite number"):
        strict_client_of(app).get("/")
