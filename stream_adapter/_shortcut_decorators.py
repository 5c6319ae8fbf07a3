"""The decorators per format, `@streaming.sse` and `@streaming.sse(keepalive=5)`, which the integrations share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

from ._keywords import ResponseKeywords, shows_options
from ._options import ResponseOptions
from ._response import Response, options_of
from ._shortcuts import csv as _csv
from ._shortcuts import html as _html
from ._shortcuts import json_array as _json_array
from ._shortcuts import json_seq as _json_seq
from ._shortcuts import ndjson as _ndjson
from ._shortcuts import sse as _sse
from ._shortcuts import text as _text

__all__ = ["FormatDecorators", "ViewDecorator", "check_view"]

P = ParamSpec("P")
V = ParamSpec("V")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Decorator = TypeVar("Decorator")
Decorator_co = TypeVar("Decorator_co", covariant=True)


class ViewDecorator(Protocol[Result_co]):
    """A decorator of views; the type of a decorated view depends on its framework."""

    def __call__(self, view: Callable[P, object], /) -> Callable[P, Result_co]: ...


class _Shortcut(Protocol[P, Result_co]):
    """A decorator of views with the defaults of its format, or what takes the format's keywords and returns one."""

    @overload
    def __call__(self, view: Callable[V, object], /) -> Callable[V, Result_co]: ...  # type: ignore[overload-overlap]  # no shortcut takes a view as an option
    @overload
    def __call__(self, *args: P.args, **options: P.kwargs) -> ViewDecorator[Result_co]: ...


class _Method(Protocol[P]):
    """A function as a class has it: from an instance, it takes a view, or the keywords of a shortcut.

    A `Callable` would not do: type checkers differ in whether one in a class takes the instance.
    """

    @overload
    def __get__(
        self, decorators: FormatDecorators[ViewDecorator[Result]], owner: type | None = None, /
    ) -> _Shortcut[P, Result]: ...
    @overload
    def __get__(
        self, decorators: FormatDecorators[Decorator], owner: type | None = None, /
    ) -> Callable[P, Decorator]: ...


def check_view(view: object, decorator: str) -> None:
    """Refuse what a decorator was given in the place of a view.

    Raises:
        TypeError: it cannot be called.
    """
    if not callable(view):
        raise TypeError(
            f"{decorator}: expected a view, got {type(view).__name__}; options are given by name, as in"
            f" @{decorator}(status_code=202)"
        )


def _takes_keywords_of(
    shortcut: Callable[Concatenate[Any, P], Response],
) -> Callable[[Callable[[Any], Any]], _Method[P]]:
    """Replace a method by one that takes a view, or a shortcut's keywords, and returns the decorator of views.

    What it decorates gives the name and the documentation.
    """
    signature = inspect.signature(shortcut)
    content, *parameters = signature.parameters.values()
    takes_columns = any(parameter.kind is content.kind for parameter in parameters)

    def method(decorators: FormatDecorators[Any], /, *args: Any, **options: Any) -> Any:
        view, *others = args or (None,)
        if callable(view) and not hasattr(view, "__iter__") and not others and not options:  # columns can be iterated
            return method(decorators)(view)
        if args and not takes_columns:
            check_view(view, f"streaming.{shortcut.__name__}")
        response = shortcut(None, *args, **options)
        return decorators._decorator(options_of(response))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it is a method of the class

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method)["__signature__"] = signature.replace(parameters=[own, *parameters], return_annotation=signature.empty)
    return lambda declared: cast("_Method[P]", functools.wraps(declared)(method))


@shows_options()
def _streamed_html(content: Any, **options: Unpack[ResponseKeywords]) -> Response:
    return _html(content, **options)


class FormatDecorators(Generic[Decorator_co]):
    """A method per format: a decorator of views, which also takes the keywords of the shortcut of the same name.

    An integration derives its `streaming` from it, and says in `_decorator` how options become a decorator. So a
    generator view has the options of its format where it is written, and needs no second function.
    """

    __slots__ = ()

    def _decorator(self, options: ResponseOptions) -> Decorator_co:
        """Return the decorator that streams what a view yields or returns with these options."""
        raise NotImplementedError

    @_takes_keywords_of(_text)
    def text(self) -> None:
        """Stream what the view yields as `stream_adapter.text`, whose keywords it takes."""

    @_takes_keywords_of(_ndjson)
    def ndjson(self) -> None:
        """Stream what the view yields as `stream_adapter.ndjson`, whose keywords it takes."""

    @_takes_keywords_of(_json_array)
    def json_array(self) -> None:
        """Stream what the view yields as `stream_adapter.json_array`, whose keywords it takes."""

    @_takes_keywords_of(_json_seq)
    def json_seq(self) -> None:
        """Stream what the view yields as `stream_adapter.json_seq`, whose keywords it takes."""

    @_takes_keywords_of(_csv)
    def csv(self) -> None:
        """Stream what the view yields as `stream_adapter.csv`, whose keywords it takes."""

    @_takes_keywords_of(_sse)
    def sse(self) -> None:
        """Stream what the view yields as `stream_adapter.sse`, whose keywords it takes."""

    @_takes_keywords_of(_streamed_html)
    def html(self) -> None:
        """Stream what the view yields as `stream_adapter.html`, whose keywords it takes, except for `streaming`."""
