"""A bad option is an error when it is given, before a header can leave, and the error says what is allowed."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

import stream_adapter as sa
import stream_adapter_django
import stream_adapter_fastapi
import stream_adapter_flask
from stream_adapter._keywords import UNSET
from stream_adapter.files import FileResponse
from stream_adapter.formats import NDJSON, Text
from stream_adapter.integration import ResponseKeywords, ResponseOptions, SyncBody, as_response, checked_options

BAD_OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"status_code": 99}, ValueError, "status_code: expected 200 to 599, got 99"),
    ({"status_code": 600}, ValueError, "status_code: expected 200 to 599, got 600"),
    ({"status_code": "200"}, TypeError, "status_code: expected 200 to 599, got str"),
    ({"status_code": True}, TypeError, "status_code: expected 200 to 599, got bool"),
    ({"media_type": "nonsense"}, ValueError, "media_type: expected type/subtype such as 'text/csv', got 'nonsense'"),
    ({"media_type": "text/plain\r\nX: y"}, ValueError, "media_type: expected type/subtype"),
    ({"media_type": "text/plain; a=\r\n"}, ValueError, "media_type: expected type/subtype"),
    ({"media_type": "text/ plain"}, ValueError, "media_type: expected type/subtype"),
    ({"media_type": ""}, ValueError, "media_type: expected type/subtype"),
    ({"media_type": 5}, TypeError, "media_type: expected text such as 'text/csv', got int"),
    ({"charset": "nonsense"}, ValueError, "charset: expected the name of a text encoding, got 'nonsense'"),
    ({"charset": "rot13"}, ValueError, "charset: expected the name of a text encoding, got 'rot13'"),
    ({"charset": 5}, TypeError, "charset: expected the name of a text encoding, got int"),
    ({"charset": "latin-1", "media_type": "text/csv; charset=utf-8"}, ValueError, "contradicts the media type"),
    ({"media_type": "text/csv; charset=nonsense"}, ValueError, "charset: expected the name of a text encoding"),
    ({"format": "ndjson"}, TypeError, "format: expected a stream_adapter.formats.Format, got str"),
    ({"format": NDJSON}, TypeError, "format: expected a stream_adapter.formats.Format, got type"),
    ({"strict": 1}, TypeError, "strict: expected True or False, got int"),
    ({"strict": True, "format": NDJSON()}, ValueError, "strict: NDJSON encodes its items itself"),
    ({"flush": "all"}, ValueError, "flush: expected 'auto', 'item' or 'bulk', got 'all'"),
    ({"commit_after": -1}, ValueError, "commit_after: expected 0 or more seconds or None, got -1"),
    ({"commit_after": float("nan")}, ValueError, "commit_after: expected 0 or more seconds or None, got nan"),
    ({"commit_after": "1"}, TypeError, "commit_after: expected seconds or None, got str"),
    ({"limits": {"high_water": 1}}, TypeError, "limits: expected Limits"),
    ({"on_error": "log"}, TypeError, "on_error: expected a function, got str"),
    ({"on_close": 5}, TypeError, "on_close: expected a function, got int"),
    ({"colour": "red"}, TypeError, "unknown option 'colour'; allowed are charset, commit_after"),
]


HINTS = {
    "status": "did you mean status_code=?",
    "content_type": "did you mean media_type=?",
    "mimetype": "did you mean media_type=?",
    "encoding": "did you mean charset=?",
    "keepalive": "did you mean sse(…, keepalive=…), or the decorator @streaming.sse(keepalive=…)?",
    "ping": "did you mean sse(…, keepalive=…)",
    "filename": "did you mean file(…, filename=…), csv(…, filename=…)",
    "idle_timeout": "did you mean limits=Limits(idle_timeout=…)?",
    "background": "did you mean on_close=",
    "media_typ": "did you mean media_type=?",
    "Status_Code": "did you mean status_code=?",
    "keepalives": "did you mean sse(…, keepalive=…)",
}


@pytest.mark.parametrize(("option", "hint"), HINTS.items())
def test_option_of_another_library_is_an_error_that_names_the_right_one(option: str, hint: str) -> None:
    options: Any = {option: 1}
    calls: list[Callable[[], object]] = [
        lambda: sa.Response(b"", **options),
        lambda: sa.ndjson([], **options),
        lambda: sa.Response(b"").with_defaults(**options),
    ]
    for call in calls:
        with pytest.raises(TypeError) as caught:
            call()
        assert hint in str(caught.value)


@pytest.mark.parametrize(("options", "kind", "problem"), BAD_OPTIONS)
def test_a_bad_option_of_a_response_is_an_error_at_construction(
    options: dict[str, Any], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        sa.Response(b"", **options)
    assert problem in str(caught.value)


def test_strict_goes_with_a_format_that_passes_chunks() -> None:
    assert sa.Response(b"", strict=True, format=Text()).strict


BAD_COUNTS: list[tuple[object, type[Exception], str]] = [
    (0, ValueError, "expected 1 or more, got 0"),
    (-1, ValueError, "expected 1 or more, got -1"),
    (1.5, TypeError, "expected a whole number, got float"),
    (True, TypeError, "expected a whole number, got bool"),
    (None, TypeError, "expected a whole number, got NoneType"),
]
BAD_SECONDS: list[tuple[object, type[Exception], str]] = [
    (0, ValueError, "expected more than 0 seconds or None, got 0"),
    (-0.5, ValueError, "expected more than 0 seconds or None, got -0.5"),
    (float("inf"), ValueError, "expected more than 0 seconds or None, got inf"),
    (float("nan"), ValueError, "expected more than 0 seconds or None, got nan"),
    ("1", TypeError, "expected seconds or None, got str"),
    (True, TypeError, "expected seconds or None, got bool"),
]


def refuse_limit(name: str, value: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind) as caught:
        sa.Limits(**{name: value})
    assert str(caught.value) == f"Limits.{name}: {problem}"


@pytest.mark.parametrize("name", ["high_water", "max_items"])
@pytest.mark.parametrize(("value", "kind", "problem"), BAD_COUNTS)
def test_a_bad_number_is_an_error_at_construction(
    name: str, value: object, kind: type[Exception], problem: str
) -> None:
    refuse_limit(name, value, kind, problem)


@pytest.mark.parametrize("name", ["idle_timeout", "total_timeout", "send_timeout", "close_timeout"])
@pytest.mark.parametrize(("value", "kind", "problem"), BAD_SECONDS)
def test_a_bad_duration_is_an_error_at_construction(
    name: str, value: object, kind: type[Exception], problem: str
) -> None:
    refuse_limit(name, value, kind, problem)


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"max_threads": 0}, ValueError, "max_threads: expected 1 or more, got 0"),
        ({"max_threads": 1.5}, TypeError, "max_threads: expected a whole number, got float"),
        ({"max_threads": True}, TypeError, "max_threads: expected a whole number, got bool"),
    ],
)
def test_a_bad_number_of_threads_is_refused(options: dict[str, Any], kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind) as caught:
        sa.configure(**options)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"keepalive": 0}, ValueError, "keepalive: expected more than 0 seconds or None, got 0"),
        ({"keepalive": "15"}, TypeError, "keepalive: expected seconds or None, got str"),
        ({"retry": -1}, ValueError, "ServerSentEvent.retry: expected 0 or more milliseconds, got -1"),
        ({"retry": 1.5}, TypeError, "ServerSentEvent.retry: expected whole milliseconds, got float"),
        ({"format": NDJSON(), "colour": 1}, TypeError, "unknown option 'colour'"),
    ],
)
def test_a_bad_option_of_sse_is_an_error_at_construction(
    options: dict[str, Any], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        sa.sse([], **options)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (sa.Response(iter(["a"])), 60),
        (sa.ndjson(iter([1])), 60),
        (sa.sse(iter(["a"])), 5),
        (sa.Response(iter([sa.ServerSentEvent("a")])), 5),
        (sa.sse(iter(["a"]), limits=sa.Limits()), 60),
        (sa.sse(iter(["a"]), limits=sa.Limits(send_timeout=None)), None),
        (sa.Response(iter(["a"])).with_defaults(limits=sa.Limits(send_timeout=7)), 7),
    ],
    ids=["text", "ndjson", "sse", "sse by its first item", "sse with limits", "no limit", "the limits of an app"],
)
def test_a_reader_has_the_patience_of_the_format_unless_limits_are_given(
    response: sa.Response, seconds: float | None
) -> None:
    body = SyncBody(response.resolve())
    body.start()
    assert body.send_timeout == seconds
    body.close()


SPELLED_OUT = [
    *(sa.text, sa.html, sa.ndjson, sa.json_array, sa.json_seq, sa.csv, sa.sse, sa.file, sa.Response, FileResponse),
    *(sa.Response.with_defaults, as_response, checked_options),
    *(stream_adapter_flask.stream_response, stream_adapter_flask.StreamAdapter),
    *(stream_adapter_flask.streaming, stream_adapter_flask.streaming.sse),
    *(stream_adapter_django.stream_response, stream_adapter_django.streaming.csv),
    *(stream_adapter_fastapi.stream_response, stream_adapter_fastapi.StreamAdapter),
]


@pytest.mark.parametrize(
    "function", SPELLED_OUT, ids=lambda function: getattr(function, "__qualname__", type(function).__name__)
)
def test_signature_spells_out_the_options_of_a_response(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    expected = set(ResponseKeywords.__annotations__) - {"description"}
    if function in {sa.file, FileResponse}:
        expected -= {"format"}
    assert expected <= set(parameters)
    assert {parameters[name].default for name in expected} == {UNSET}
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def test_response_signature_in_the_source_has_the_keywords_of_the_frozen_options() -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(sa.Response)))
    spelled: Any = next(node for node in ast.walk(tree) if getattr(node, "name", "") == "__init__")
    written = {each.arg: ast.unparse(each.annotation) for each in spelled.args.kwonlyargs if each.annotation}
    keywords = {name: it.__forward_arg__ for name, it in ResponseKeywords.__annotations__.items()}
    assert written == {**keywords, "description": "SourceInput"}
    fields = {field.name for field in dataclasses.fields(ResponseOptions)}
    assert fields - {"given"} == keywords.keys() - {"description"}


def test_checked_options_are_used_without_a_second_check(monkeypatch: pytest.MonkeyPatch) -> None:
    options = checked_options(status_code=201, headers={"X-A": "1"})
    defaults = checked_options(flush="item", headers={"X-B": "2"})
    monkeypatch.setattr("stream_adapter._options._CHECKS", {})
    response = as_response(iter([b"a"]), options).with_defaults(defaults)
    assert (response.status_code, response.flush) == (201, "item")
    assert list(response.headers) == [("X-B", "2"), ("X-A", "1")]


def test_checked_options_are_frozen_and_map_the_given_ones() -> None:
    options = checked_options(status_code=201)
    assert dict(options) == {"status_code": 201}
    assert (options.charset, set(options.given)) == ("utf-8", {"status_code"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.status_code = 202  # type: ignore[misc]  # the mistake that is tested
