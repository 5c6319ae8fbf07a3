"""The form of every record: which request and source, what happened, how far it had come, and what happens next."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

import stream_adapter as sa
from stream_adapter._log import describe_source, describe_stream
from stream_adapter.integration import RequestHead
from tests.support.interfaces import Call, call_asgi, call_wsgi, either_interface, four_paths
from tests.support.sources import in_way


def rows() -> Iterator[bytes]:
    yield b"a" * 22
    yield b"b" * 22
    yield b"c" * 22
    raise LookupError("a secret")


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "stream_adapter"]


@either_interface
def test_failure_record_names_the_stream_its_progress_and_the_consequence(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(sa.Response(rows()), method="POST")
    (record,) = records(caplog)
    assert record.getMessage() == (
        "POST / (generator rows): failed after the response started (3 items, 66 bytes); closing the connection"
    )
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is answer.error


@four_paths
def test_record_of_a_failure_counts_one_item_and_one_byte(
    way: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    def one() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("a secret")

    call(sa.Response(in_way(way, one())))
    (record,) = records(caplog)
    assert "(1 item, 1 byte); closing the connection" in record.getMessage()


async def arows() -> AsyncIterator[bytes]:
    yield b""


class Cursor(Iterator[bytes]):
    def __next__(self) -> bytes:
        raise StopIteration


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (rows(), "generator rows"),
        (arows(), "async generator arows"),
        (Cursor(), "Cursor"),
        ([b"a"], "list"),
    ],
    ids=["generator", "async generator", "class", "list"],
)
def test_source_is_named_by_its_function_or_type(content: object, name: str) -> None:
    assert describe_source(content) == name


def test_stream_without_a_known_request_is_named_by_its_source() -> None:
    assert describe_stream(None, [b""]) == describe_stream(RequestHead(), [b""]) == "list"


HOSTILE = {
    "line break": "/a\r\nERROR stream_adapter: forged",
    "escape sequence": "/\x1b]0;owned\x07\x1b[2J",
    "C1": "/\x9b31m",
    "bidi": "/\u202egnp.exe",
    "surrogate": "/\udcff",
    "blanks and brackets": "/x (generator safe): done (1 item)",
    "long": "/" + "a" * 100_000,
    "long, beyond ASCII": "/" + "\u20ac" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["path", "method"])
def test_method_and_path_in_the_log_are_escaped_and_truncated(text: str, place: str) -> None:
    head = RequestHead(method=text, path="/") if place == "method" else RequestHead(path=text)
    name = describe_stream(head, [b""])
    request, _, source = name.rpartition(" (")
    assert source == "list)"
    assert request.replace("…", "").isascii()
    assert request.isprintable()
    assert request.count(" ") == 1
    assert len(name) < 260


@pytest.mark.parametrize("path", ["/caf\u00e9/\u20ac", "/rows"])
def test_path_is_the_same_under_both_protocols(path: str) -> None:
    environ = {"SCRIPT_NAME": "", "PATH_INFO": path.encode().decode("latin-1")}
    assert RequestHead.from_environ(environ).path == path
    assert RequestHead.from_scope({"type": "http", "path": path}).path == path


def test_path_of_an_environ_that_is_text_already_is_kept() -> None:
    assert RequestHead.from_environ({"PATH_INFO": "/\u20ac"}).path == "/\u20ac"


def test_stream_inside_an_adapted_application_reports_its_failure_once(caplog: pytest.LogCaptureFixture) -> None:
    call_asgi(sa.to_asgi(sa.Response(rows()).wsgi))
    call_wsgi(sa.to_wsgi(sa.Response(rows()).asgi))
    first, second = (record.getMessage() for record in records(caplog))
    assert first == second
    assert first.startswith("GET / (generator rows): failed after the response started (3 items, 66 bytes)")


def test_application_that_fails_under_an_adapter_is_reported_by_it(caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: object, start_response: object) -> Iterator[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]  # PEP 3333
        yield from rows()

    call_asgi(sa.to_asgi(application))
    (record,) = records(caplog)
    assert record.getMessage().startswith("GET / (WSGI application): failed after the response started (3 items")
