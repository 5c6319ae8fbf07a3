"""The app-wide adapter: what it takes, what it leaves to Flask, and where `streaming=True` may stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import flask
import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View
from werkzeug.routing import Rule, Submount

from stream_adapter_flask import StreamAdapter, StreamingResponse, stream_response, streaming


def values() -> Any:  # Flask's types know iterators of text and bytes only
    yield {"a": 1}


async def async_values() -> AsyncIterator[dict[str, int]]:
    yield {"a": 1}


LEFT_TO_FLASK: dict[str, Any] = {
    "text": "text",
    "bytes": b"bytes",
    "a list": ["a", "b"],
    "a mapping": {"a": 1},
    "text with a status": ("text", 201),
    "a list with headers": (["a"], {"X-A": "1"}),
}


@pytest.mark.parametrize("result", LEFT_TO_FLASK.values(), ids=LEFT_TO_FLASK)
def test_adapter_leaves_flasks_own_results_unchanged(app: Flask, result: Any) -> None:
    answers: list[tuple[Any, ...]] = []
    app.get("/")(lambda: result)

    @app.after_request
    def look(response: flask.Response) -> flask.Response:
        answers.append((type(response), response.get_data()))
        return response

    plain = app.test_client().get("/")
    StreamAdapter(app)
    adapted = app.test_client().get("/")
    assert (plain.status, plain.headers, plain.data) == (adapted.status, adapted.headers, adapted.data)
    assert answers[0] == answers[1]


def test_text_generator_under_adapter_has_flasks_headers(app: Flask) -> None:
    app.get("/")(lambda: iter("abc"))
    plain = app.test_client().get("/")
    StreamAdapter(app)
    adapted = app.test_client().get("/")
    assert (plain.status, plain.content_type, plain.data) == (adapted.status, adapted.content_type, adapted.data)


class Values(MethodView):
    def get(self) -> Any:
        return values()

    async def post(self) -> Any:
        return async_values()

    @streaming
    async def put(self) -> AsyncIterator[dict[str, int]]:
        yield {"a": 1}


class Decorated(View):
    decorators = (streaming,)  # type: ignore[assignment]  # a tuple works too, and is not a mutable default

    def dispatch_request(self) -> Any:
        return values()


@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_the_methods_of_a_view_class_stream(app: Flask, method: str) -> None:
    StreamAdapter(app)
    app.add_url_rule("/", view_func=Values.as_view("values"))
    assert app.test_client().open("/", method=method.upper()).data == b'{"a":1}\n'


def test_decorators_of_a_view_class_may_include_streaming(app: Flask) -> None:
    app.add_url_rule("/", view_func=Decorated.as_view("values"))
    assert app.test_client().get("/").data == b'{"a":1}\n'


@pytest.mark.parametrize("late", [False, True], ids=["constructor", "init_app"])
def test_routes_of_app_and_blueprints_take_streaming_true(app: Flask, late: bool) -> None:
    if late:
        StreamAdapter().init_app(app)
    else:
        StreamAdapter(app)
    blueprint = Blueprint("inner", "tests", url_prefix="/inner")
    blueprint.get("/list", streaming=True)(lambda: [{"a": 1}])
    app.get("/list", streaming=True)(lambda: [{"a": 1}])
    app.add_url_rule("/rule", "rule", lambda: [{"a": 1}], streaming=True)
    app.get("/plain", streaming=False, endpoint="plain")(lambda: [{"a": 1}])
    app.register_blueprint(blueprint)
    client = app.test_client()
    for path in ("/list", "/rule", "/inner/list"):
        assert client.get(path).data == b'{"a":1}\n'
    assert client.get("/plain").json == [{"a": 1}]


def test_blueprint_registered_before_the_adapter_streams(app: Flask) -> None:
    blueprint = Blueprint("inner", "tests", url_prefix="/inner")
    blueprint.get("/")(values)
    app.register_blueprint(blueprint)
    StreamAdapter(app)
    assert app.test_client().get("/inner/").data == b'{"a":1}\n'


def test_a_route_that_does_not_exist_is_a_404_and_automatic_options_stay(app: Flask) -> None:
    StreamAdapter(app)
    app.get("/", streaming=True)(values)
    assert app.test_client().get("/nowhere").status_code == 404
    assert app.test_client().options("/").status_code == 200


def test_the_apps_own_dispatch_and_rule_class_stay_in_use(app: Flask) -> None:
    class OwnRule(Rule):
        def __init__(self, string: str, *args: Any, colour: str = "none", **options: Any) -> None:
            super().__init__(string, *args, **options)
            self.colour = colour

    class Own(Flask):
        url_rule_class = OwnRule

        def dispatch_request(self, ctx=None) -> Any:  # type: ignore[no-untyped-def]  # Flask 3.2 reads annotations here
            result = super().dispatch_request(*(() if ctx is None else (ctx,)))
            return self.wrap(result) if flask.request.url_rule.colour == "red" else result  # type: ignore[union-attr]

        def wrap(self, result: Any) -> Iterator[Any]:
            yield {"wrapped": 1}
            yield from result

    own = Own("own")
    StreamAdapter(own)
    own.get("/", streaming=True, colour="red")(lambda: [{"a": 1}])
    assert own.test_client().get("/").data == b'{"wrapped":1}\n{"a":1}\n'


def test_the_arguments_of_dispatch_request_reach_the_apps_own(app: Flask) -> None:
    class Own(Flask):
        def dispatch_request(self, ctx=None, *, colour: str = "none") -> Any:  # type: ignore[no-untyped-def]  # as above
            return iter([f"{ctx} {colour}"])

    own: Any = Own("own")
    StreamAdapter(own)
    with own.test_request_context():
        answer = own.dispatch_request("a context", colour="red")
        assert answer.data == b"a context red"


def test_copied_rule_keeps_streaming_true(app: Flask) -> None:
    StreamAdapter(app)
    rule: Any = app.url_rule_class("/values", endpoint="values", methods=["GET"], streaming=True)  # type: ignore[call-arg]  # the adapter's own
    app.url_map.add(Submount("/sub", [rule]))
    app.view_functions["values"] = lambda: [{"a": 1}]
    assert app.test_client().get("/sub/values").data == b'{"a":1}\n'


def test_app_without_adapter_is_unchanged(app: Flask) -> None:
    StreamAdapter(app)
    other = Flask("other")
    assert other.url_rule_class is Rule
    with pytest.raises(TypeError, match="streaming"):
        other.get("/", streaming=True)(values)


def test_installing_the_adapter_twice_changes_nothing(app: Flask) -> None:
    adapter = StreamAdapter(app)
    adapter.init_app(app)
    assert app.extensions["stream_adapter"] is adapter
    app.get("/", streaming=True)(values)
    assert app.test_client().get("/").data == b'{"a":1}\n'


def test_decorator_function_and_adapter_work_in_one_app(app: Flask) -> None:
    StreamAdapter(app, headers={"X-By": "adapter"})
    app.get("/a")(streaming(headers={"X-By": "decorator"})(values))
    app.add_url_rule("/b", "b", lambda: stream_response(values(), headers={"X-By": "function"}))
    app.get("/c", endpoint="c")(values)
    client = app.test_client()
    assert [client.get(path).headers["X-By"] for path in ("/a", "/b", "/c")] == ["decorator", "function", "adapter"]


def test_stream_response_outside_a_request_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="context"):
        stream_response("a")
    assert issubclass(StreamingResponse, flask.Response)


@pytest.mark.parametrize("way", ["returned", "decorated", "stream_response"])
def test_adapter_defaults_reach_every_stream_of_the_app(way: str) -> None:
    app = Flask(__name__)
    StreamAdapter(app, headers={"X-Default": "yes"})

    def rows() -> Any:
        return iter(["a"])

    views: dict[str, Callable[[], Any]] = {
        "returned": rows,
        "decorated": streaming(rows),
        "stream_response": lambda: stream_response(iter(["a"])),
    }
    app.add_url_rule("/", view_func=views[way], endpoint="rows")
    assert app.test_client().get("/").headers["X-Default"] == "yes"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_the_adapters_route_decorators_take_streaming(app: Flask, method: str) -> None:
    adapter = StreamAdapter(app)

    @getattr(adapter, method)("/rows", streaming=True, endpoint="values")  # type: ignore[untyped-decorator]  # by its name
    def rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}

    assert app.test_client().open("/rows", method=method.upper()).data == b'{"a":1}\n'
    assert [rule.endpoint for rule in app.url_map.iter_rules("values")] == ["values"]


def test_a_route_of_an_adapter_without_an_app_is_an_error_that_says_init_app() -> None:
    with pytest.raises(RuntimeError, match="init_app"):
        StreamAdapter().get("/rows")


@pytest.mark.parametrize("app", ["app", Flask("inner").wsgi_app], ids=["text", "wsgi_app"])
def test_what_is_not_a_flask_application_is_refused(app: Any) -> None:
    with pytest.raises(TypeError, match=r"^StreamAdapter: expected a Flask application, got (str|method)$"):
        StreamAdapter(app)
