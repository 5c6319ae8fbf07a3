"""The traceback of a chunk error begins with what could not be encoded, and with nothing that we or others tried."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

import stream_adapter as sa
from stream_adapter_fastapi import streaming
from tests.support.interfaces import Call, four_paths
from tests.support.sources import in_way
from tests.support.versions import needs

ITEMS: dict[str, list[object]] = {
    "first": [{"a": object()}],
    "second": [{"a": 1}, {"a": object()}],
    "number": [1, float("nan")],
    "surrogate": ["x", "\ud800"],
    "surrogate first": ["\ud800"],
}
each_items = pytest.mark.parametrize("items", ITEMS.values(), ids=ITEMS)


_STARLETTE = "ExceptionGroup"  # its task group's, which a second BaseHTTPMiddleware shows of any error


def shown(error: BaseException | None) -> list[str]:
    """Return the types of the errors that a traceback shows, the last raised first."""
    types: list[str] = []
    while error is not None:
        types.append(type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return types


def check(error: BaseException | None) -> None:
    first, *causes = shown(error)
    assert first in {"ChunkEncodingError", "ChunkValueError"}
    assert causes in ([], ["UnicodeEncodeError"], ["TypeError"], [_STARLETTE])


@each_items
@pytest.mark.parametrize("shortcut", [sa.Response, sa.ndjson, sa.json_array])
@four_paths
def test_traceback_of_a_chunk_error_has_no_unrelated_exception(
    shortcut: Callable[..., sa.Response], items: list[object], way: str, call: Call
) -> None:
    check(call(shortcut(in_way(way, iter(items)))).error)


RAISED_AS_IT_IS = needs("starlette", "1.9", "older test clients raise another error behind BaseHTTPMiddleware")


@each_items
@pytest.mark.parametrize("middlewares", [0, *(pytest.param(n, marks=RAISED_AS_IT_IS) for n in (1, 2))])
def test_base_http_middleware_leaves_the_traceback_unchanged(middlewares: int, items: list[object]) -> None:
    app = FastAPI()

    async def pass_on(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    for _ in range(middlewares):
        app.middleware("http")(pass_on)

    @app.get("/sync")
    @streaming
    def rows() -> Iterator[object]:
        yield from items

    @app.get("/async")
    @streaming
    async def arows() -> AsyncIterator[object]:
        for item in items:
            yield item

    for path in ("/sync", "/async"):
        with pytest.raises(sa.ChunkEncodingError) as raised:
            TestClient(app).get(path)
        check(raised.value)
