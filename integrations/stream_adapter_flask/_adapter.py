"""The app-wide adapter: what views return is streamed with no decorator."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, Unpack

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.routing import Rule

from stream_adapter.integration import ResponseKeywords, ResponseOptions, checked_options, is_stream, shows_options

from ._refusals import answering_refusals
from ._response import combine_classes
from ._views import split_result, to_response

__all__ = ["StreamAdapter"]

View = TypeVar("View", bound=Callable[..., object])


class StreamAdapter:
    """Stream the generators, iterators and Responses that the views of an app return, alone or first in a tuple.

    A list, dict, text or response stays Flask's own. A route, of the app or of a blueprint, may say `streaming=True`:
    then whatever its view returns is streamed, as under `@streaming`, and what cannot be is an error. Install it before
    routes and blueprints that say so.

    Args:
        app: the app; None leaves it to `init_app`.
        **defaults: options of Response, for all that the app streams, where it was not given them.
    """

    @shows_options()
    def __init__(self, app: Flask | None = None, **defaults: Unpack[ResponseKeywords]) -> None:
        self.defaults: ResponseOptions = checked_options(**defaults)  # a bad option is an error where it is written
        self._app: Flask | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Install it in `app`, whose own `dispatch_request` and `url_rule_class` stay in use.

        Raises:
            TypeError: it is not a Flask application.
        """
        if not isinstance(app, Flask):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
            raise TypeError(f"StreamAdapter: expected a Flask application, got {type(app).__name__}")
        dispatch = app.dispatch_request
        self._app = app  # the last one, where it is installed in several

        @wraps(dispatch)
        def dispatch_request(*args: Any, **kwargs: Any) -> ResponseReturnValue:  # Flask 3.2 passes its context
            try:
                with answering_refusals:
                    result = dispatch(*args, **kwargs)
            except TypeError as error:
                _explain_serialized_stream(error)
                raise
            return to_response(result, _current_view(), checked_options()) if _is_streamed(result) else result

        # not make_response, which is called after the error handlers
        app.dispatch_request = dispatch_request  # type: ignore[method-assign]  # of this app alone
        app.url_rule_class = combine_classes(StreamingRule, app.url_rule_class)
        app.extensions["stream_adapter"] = self

    def route(self, rule: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route to the app, as `app.route` does; a type checker knows `streaming=True`, and generator views.

        Args:
            rule: the path, as Flask takes it.
            streaming: whether the result must be a stream.
            **options: those of `app.route`.

        Raises:
            RuntimeError: the adapter was not installed in an app.
        """
        if self._app is None:
            raise RuntimeError("StreamAdapter.route: expected an app; call init_app(app) first")
        add: Callable[[View], View] = self._app.route(rule, streaming=streaming, **options)  # type: ignore[assignment]  # a view that Flask's types do not know: a generator
        return add

    def get(self, rule: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for GET."""
        return self.route(rule, streaming=streaming, methods=["GET"], **options)

    def post(self, rule: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for POST."""
        return self.route(rule, streaming=streaming, methods=["POST"], **options)

    def put(self, rule: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for PUT."""
        return self.route(rule, streaming=streaming, methods=["PUT"], **options)

    def patch(self, rule: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for PATCH."""
        return self.route(rule, streaming=streaming, methods=["PATCH"], **options)

    def delete(self, rule: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for DELETE."""
        return self.route(rule, streaming=streaming, methods=["DELETE"], **options)


def _is_streamed(result: object) -> bool:
    return is_stream(split_result(result)[0]) or getattr(request.url_rule, "streaming", False)


def _current_view() -> object:
    """Return the view of this request, for an error; its endpoint may be one that the app calls otherwise."""
    return current_app.view_functions.get(request.endpoint or "", request.endpoint)


class StreamingRule(Rule):
    """A route that takes `streaming=True`."""

    def __init__(self, string: str, *args: Any, streaming: bool = False, **options: Any) -> None:
        super().__init__(string, *args, **options)
        self.streaming = streaming

    def get_empty_kwargs(self) -> dict[str, Any]:
        """Return what a copy of this rule is made with."""
        return {**super().get_empty_kwargs(), "streaming": self.streaming}


# by the standard library's words, or ujson's, which Flask-RESTX takes where it is installed
_SERIALIZED = re.compile(r"(?:Object of type |<)(generator|async_generator|Response)\b.* is not JSON serializable")


def _explain_serialized_stream(error: TypeError) -> None:
    """Explain the error of a framework inside Flask that took a stream for data, before the adapter could see it.

    Flask-RESTful and Flask-RESTX make JSON of what the methods of a Resource return, within the view.

    Raises:
        TypeError: it is that error.
    """
    found = _SERIALIZED.search(str(error))
    if found is not None:
        raise TypeError(
            f"the view function for {request.endpoint!r} made JSON of a {found[1]}; where a framework such as "
            "Flask-RESTful makes the response of what a method returns, put @streaming on the method, or return "
            "stream_response(…)"
        ) from error
