"""A small whole body, with nothing to close or to report, is sent without a body object; any other has one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from stream_adapter.integration import RequestHead
from stream_adapter.types import Message

LARGE = b"x" * 65537


def stream() -> Iterator[str]:
    yield "a"


@pytest.mark.parametrize("content", ["text", b"bytes", {"a": 1}, None])
def test_whole_body_is_plain(content: Any) -> None:
    assert sa.Response(content).resolve().is_plain


@pytest.mark.parametrize(
    "response",
    [
        lambda: sa.Response(stream()),
        lambda: sa.Response(["a", "b"]),
        lambda: sa.Response("a", on_close=print),  # which is to report
        lambda: sa.Response(LARGE),  # whose client is watched
    ],
    ids=["stream", "items", "on_close", "large"],
)
def test_response_with_items_a_callback_or_a_large_body_is_not_plain(response: Any) -> None:
    assert not response().resolve().is_plain


def test_head_of_a_stream_is_not_plain_because_its_source_is_to_be_closed() -> None:
    resolved = sa.Response(stream()).resolve(RequestHead("HEAD"))
    assert resolved.body == b""
    assert not resolved.is_plain


def test_client_that_left_before_a_plain_body_is_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    async def send(message: Message) -> None:
        raise OSError("the client has left")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/small", "headers": []}
    with caplog.at_level(logging.DEBUG, logger="stream_adapter"):
        asyncio.run(sa.Response("small").asgi(scope, receive, send))
    assert "GET /small (str): the client disconnected" in caplog.text


def test_plain_body_without_content_has_no_length_under_wsgi() -> None:
    started: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        started.append((status, headers))

    blocks = sa.Response(None, status_code=204).wsgi(environ, start_response)
    assert b"".join(blocks) == b""
    assert not hasattr(blocks, "__len__")  # wsgiref makes a Content-Length of that
    ((status, headers),) = started
    assert status == "204 No Content"
    assert not {"Content-Length", "Content-Type"} & dict(headers).keys()


@pytest.mark.parametrize("content", ["text", "é" * 20_000, b"bytes", b""])
@pytest.mark.parametrize(
    "options",
    [{}, {"headers": {"X-A": "1", "Vary": "Cookie"}}, {"status_code": 404}, {"headers": {"Cache-Control": "no-store"}}],
    ids=["no options", "headers", "status", "a default replaced"],
)
def test_small_body_has_the_head_and_bytes_that_any_other_way_gives(content: Any, options: dict[str, Any]) -> None:
    quick = sa.Response(content, **options).resolve()
    closer = sa.Response(content, on_close=print, **options).resolve()  # to be reported, so it is looked at closely
    assert (quick.status, quick.headers, quick.body) == (closer.status, closer.headers, closer.body)


def test_head_of_one_plain_body_is_not_that_of_the_next() -> None:
    first = sa.Response("a").resolve()
    first.headers.append(("X-A", "of the first"))
    second = sa.Response("bc").resolve()
    assert ("X-A", "of the first") not in second.headers
    assert [value for name, value in second.headers if name == "Content-Length"] == ["2"]


def test_small_text_with_a_lone_surrogate_is_an_error_that_names_it() -> None:
    with pytest.raises(ChunkValueError, match="lone surrogate"):
        sa.Response("\ud800").resolve()
