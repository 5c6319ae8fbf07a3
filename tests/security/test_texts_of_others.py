"""Text that is not what it looks like: of a subclass of `str`, a hidden formula, a media type or port of a stranger."""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.formats import SSE, Auto, Format, Raw
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse
from tests.support.interfaces import call_wsgi


class Kind(str, enum.Enum):  # noqa: UP042  # which formats itself by its name, as a StrEnum does not
    TICK = "tick"


class Retry(int, enum.Enum):
    SOON = 5


class Liar(str):
    """Text that hides what is in it, and shows what is not."""

    __slots__ = ()

    def __contains__(self, part: object) -> bool:
        return False

    def __str__(self) -> str:
        return "x\nid: forged"

    def __format__(self, specification: str) -> str:
        return "x\nid: forged"


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


@pytest.mark.parametrize("text", [Kind.TICK, Liar("tick")])
def test_field_of_an_event_is_the_text_itself_whatever_its_class(text: str) -> None:
    event = sa.ServerSentEvent(text, event=text, id=text, comment=text, retry=Retry.SOON)
    assert event.encoded == b": tick\nevent: tick\nid: tick\nretry: 5\ndata: tick\n\n"
    assert body_of(sa.Response(iter([text]), format=SSE(retry=None))) == b"data: tick\n\n"


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("end", ["\n", "\r", "\0"])
def test_line_end_in_text_that_denies_it_is_refused(field: str, end: str) -> None:
    fields: dict[str, Any] = {field: Liar(f"a{end}b")}
    with pytest.raises(sa.ChunkEncodingError, match=field):
        sa.ServerSentEvent("data", **fields)


def test_value_of_a_header_is_the_text_itself_whatever_its_class() -> None:
    response = sa.Response(iter(["a"]), headers={"X-A": Kind.TICK})
    response.headers["X-B"] = Liar("b")
    response.headers["X-C"] = Liar("c")
    answer = call_wsgi(response)
    assert (answer.header("x-a"), answer.header("x-b"), answer.header("x-c")) == (["tick"], ["b"], ["c"])
    assert {type(value) for _, value in answer.headers} == {str}


@pytest.mark.parametrize("unseen", ["\ufeff", "\u200b", "\u2060", "\0", "\ufeff\u200b"])
def test_formula_behind_invisible_characters_is_defused(unseen: str) -> None:
    body = body_of(sa.csv([[f"{unseen}=1+1", f"{unseen}a"]], escape_formulas=True)).decode()
    assert body == f"'{unseen}=1+1,{unseen}a\r\n"


@pytest.mark.parametrize("mark", ["\u061c", "\u200e", "\u200f", "\u202e", "\u2066"])
def test_file_name_has_no_mark_that_turns_its_direction(mark: str) -> None:
    answer = call_wsgi(sa.file(io.BytesIO(b"a"), filename=f"a{mark}gpj.exe"))
    assert answer.header("content-disposition") == ["attachment; filename=a_gpj.exe"]


def test_error_about_a_media_type_cuts_it() -> None:
    with pytest.raises(ValueError, match="media_type") as caught:
        sa.Response(iter(["a"]), media_type="x" * 10_000)
    assert len(str(caught.value)) < 200


def test_media_types_of_strangers_are_not_kept() -> None:
    module: Any = import_module("stream_adapter._media_types")
    caches = (module._kept_charset, module._kept_with_charset)
    before = [cache.cache_info().currsize for cache in caches]
    for number in range(20):
        media_type = f"text/csv; a{number}={'x' * 8000}"
        answer = call_wsgi(sa.Response(iter([{"a": 1}]), media_type=media_type))
        assert answer.header("content-type")[0].endswith("charset=utf-8")
    assert [cache.cache_info().currsize for cache in caches] == before


SPOILED: dict[str, Callable[[], Format]] = {
    "the format of an event": lambda: Auto().choose(sa.ServerSentEvent, strict=False),
    "the format of a value": lambda: Auto().choose(dict, strict=False),
    "the format of a document": lambda: Auto().choose_whole(dict, strict=False),
    "the format of a stream": lambda: _settled(sa.Response(iter([{"a": 1}]))),
    "the undecided format": lambda: sa.Response(iter([{"a": 1}])).resolve().flow.encoder.format,
    "what a media type frames": lambda: _framed(Raw("text/event-stream")),
}


def _settled(response: sa.Response) -> Format:
    encoder = response.resolve().flow.encoder
    encoder.encode_first({"a": 1})
    return encoder.settle()


def _framed(raw: Raw) -> Format:
    encoder: Any = raw.encoder(strict=False, charset="utf-8")
    format: Format = encoder._values.format
    return format


@pytest.mark.parametrize("make", SPOILED.values(), ids=SPOILED)
def test_format_that_is_handed_out_is_the_users_own(make: Callable[[], Format]) -> None:
    spoiled = make()
    spoiled.headers, spoiled.keepalive, spoiled.media_type = {"X-User": "alice"}, 0.01, "text/spoiled"
    clean = make()
    assert clean is not spoiled
    assert (clean.headers.get("X-User"), clean.keepalive == 0.01, clean.media_type == "text/spoiled") == (
        None,
        False,
        False,
    )


PORTS = ["", "abc", "1]:80", "\xb2", "9" * 30, "9" * 5000, "-1", "+1", "1_0"]


@pytest.mark.parametrize("port", PORTS)
def test_port_that_is_not_a_number_is_the_default_of_the_scheme(port: str) -> None:
    # gunicorn on a Unix socket, as behind nginx, splits the client's Host for SERVER_NAME and SERVER_PORT
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("no lifespan")
        seen.append((scope["server"], scope["client"]))
        await sa.Response(b"a")(scope, receive, send)

    adapted = sa.to_wsgi(app)
    for scheme in ("http", "https"):
        given = {"SERVER_PORT": port, "wsgi.url_scheme": scheme, "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": port}

        def with_port(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            return adapted({**environ, **given}, start_response)  # noqa: B023  # it is called in this round

        assert call_wsgi(with_port).status == 200
    assert [(server[1], client) for server, client in seen] == [(80, ("192.0.2.1", 0)), (443, ("192.0.2.1", 0))]
