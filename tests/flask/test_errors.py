"""An error before the first item is answered by the app's error handlers; one after it breaks the response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, request

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter, stream_response, streaming
from tests.flask.journal import TORN_DOWN, Journal
from tests.support.sources import in_way

either_way = pytest.mark.parametrize("way", ["sync", "async"])


class Failure(Exception):
    """What the sources raise."""


def decorated(app: Flask, source: Callable[[], object]) -> None:
    app.get("/")(streaming(source))


def adapted(app: Flask, source: Callable[[], Any]) -> None:
    StreamAdapter(app)
    app.get("/")(source)


def responded(app: Flask, source: Callable[[], object]) -> None:
    app.get("/")(lambda: stream_response(source()))


INSTALLS = {function.__name__: function for function in (decorated, adapted, responded)}
every_install = pytest.mark.parametrize("install", INSTALLS.values(), ids=INSTALLS)


def refuse() -> Iterator[str]:
    abort(403)
    yield "never"


def fail() -> Iterator[str]:
    raise Failure("a secret")
    yield "never"


@every_install
@either_way
def test_an_abort_before_the_first_item_is_that_status(app: Flask, install: Any, way: str) -> None:
    install(app, lambda: in_way(way, refuse()))
    assert app.test_client().get("/").status_code == 403


@every_install
@either_way
@pytest.mark.parametrize(("source", "error"), [(refuse, 403), (fail, Failure), (fail, 500), (fail, Exception)])
def test_the_apps_handler_answers_what_is_raised_before_the_first_item(
    app: Flask, install: Any, way: str, source: Callable[[], Iterator[str]], error: Any
) -> None:
    app.register_error_handler(error, lambda _: (f"sorry about {request.path}", 418))
    install(app, lambda: in_way(way, source()))
    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (418, "sorry about /")


@every_install
def test_unhandled_error_is_a_logged_500_without_its_text(
    app: Flask, install: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install(app, fail)
    response = app.test_client().get("/")
    assert response.status_code == 500
    assert "a secret" not in response.text
    assert "a secret" in caplog.text


@every_install
@pytest.mark.parametrize("mode", ["testing", "debug"])
def test_unhandled_error_is_raised_in_tests_and_debug_mode(
    app: Flask, journal: Journal, install: Any, mode: str
) -> None:
    setattr(app, mode, True)
    install(app, lambda: journal.source("sync", [Failure()]))
    with pytest.raises(Failure):
        app.test_client().get("/")
    assert [entry.partition(" ")[0] for entry in journal] == ["closed", "teardown", "app"]


@every_install
@either_way
def test_the_source_is_closed_before_the_error_handler_runs_and_the_request_is_torn_down_after_it(
    app: Flask, journal: Journal, install: Any, way: str
) -> None:
    def handler(_: Exception) -> str:
        journal.append("handler")
        return "sorry"

    app.register_error_handler(Failure, handler)
    install(app, lambda: journal.source(way, [Failure()]))
    app.test_client().get("/")
    assert journal == ["closed", "handler", *TORN_DOWN]


@every_install
def test_first_item_that_cannot_be_encoded_reaches_error_handlers(app: Flask, install: Any) -> None:
    app.register_error_handler(sa.ChunkEncodingError, lambda error: (str(error), 422))
    install(app, lambda: iter([None]))
    response = app.test_client().get("/")
    assert response.status_code == 422
    assert response.text.startswith("chunk 0: ")


@pytest.mark.parametrize("adapter", [False, True], ids=["decorator", "adapter"])
def test_a_blueprints_handler_answers_for_its_views_only(app: Flask, adapter: bool) -> None:
    if adapter:
        StreamAdapter(app)
    wrap: Callable[[Any], Any] = (lambda view: view) if adapter else streaming
    blueprint = Blueprint("inner", "tests", url_prefix="/inner")
    blueprint.register_error_handler(403, lambda _: ("the blueprint's", 403))
    app.register_error_handler(403, lambda _: ("the app's", 403))
    blueprint.add_url_rule("/", "view", wrap(refuse))
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "view", wrap(refuse))
    assert app.test_client().get("/inner/").text == "the blueprint's"
    assert app.test_client().get("/").text == "the app's"


@every_install
@either_way
def test_an_error_after_the_first_item_breaks_the_response_and_reaches_teardown(
    app: Flask, journal: Journal, install: Any, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    install(app, lambda: sa.Response(journal.source(way, ["a", "b", Failure("a secret")]), flush="item"))
    app.register_error_handler(Failure, lambda _: "never sent")
    response = app.test_client().get("/")
    assert response.status_code == 200
    blocks = response.iter_encoded()
    assert [next(iter(blocks)), next(iter(blocks))] == [b"a", b"b"]
    with pytest.raises(Failure):
        next(iter(blocks))
    assert journal == ["closed", "teardown of Failure", "app teardown of Failure"]
    assert "a secret" in caplog.text


def test_thread_limit_is_answered_503_with_retry_after(app: Flask) -> None:
    @app.get("/")
    @streaming
    def view() -> object:
        return sa.sse(iter("a" * 100_000))  # a sync source with a keepalive has a thread

    sa.configure(max_threads=1)
    try:
        with app.test_client().get("/") as first:
            refused = app.test_client().get("/")
            assert first.status_code == 200
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    finally:
        sa.configure()
    assert app.test_client().get("/").status_code == 200


def test_a_view_that_raises_after_making_a_response_closes_its_source(app: Flask, journal: Journal) -> None:
    @app.get("/")
    @streaming
    def view() -> object:
        stream_response(journal.source("sync"), on_close=lambda summary: journal.append(summary.reason))
        abort(409)

    with app.test_client().get("/") as response:
        assert response.status_code == 409
    assert "not_started" in journal
