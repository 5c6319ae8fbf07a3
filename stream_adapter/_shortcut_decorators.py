"""The decorators per format, `@streaming.sse(keepalive=5)`, which the integrations share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, Unpack, cast

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

__all__ = ["FormatDecorators"]

P = ParamSpec("P")
Decorator = TypeVar("Decorator")
Decorator_co = TypeVar("Decorator_co", covariant=True)


class _Method(Protocol[P]):
    """A function as a class has it: from an instance, it takes the keywords of a shortcut.

    A `Callable` would not do: type checkers differ in whether one in a class takes the instance.
    """

    def __get__(
        self, decorators: FormatDecorators[Decorator], owner: type | None = None, /
    ) -> Callable[P, Decorator]: ...


def _takes_keywords_of(
    shortcut: Callable[Concatenate[Any, P], Response],
) -> Callable[[Callable[[Any], Any]], _Method[P]]:
    """Replace a method by one that takes a shortcut's keywords, and returns the decorator of views with its options.

    What it decorates gives the name and the documentation.
    """

    def method(decorators: FormatDecorators[Decorator], /, *args: P.args, **options: P.kwargs) -> Decorator:
        response = shortcut(None, *args, **options)
        return decorators._decorator(options_of(response))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it is a method of the class

    signature = inspect.signature(shortcut)
    _, *parameters = signature.parameters.values()
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method)["__signature__"] = signature.replace(parameters=[own, *parameters], return_annotation=signature.empty)
    return lambda declared: cast("_Method[P]", functools.wraps(declared)(method))


class FormatDecorators(Generic[Decorator_co]):
    """A method per format, each a decorator of views. It takes the keywords of the shortcut of the same name.

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

    @shows_options()
    def html(self, **options: Unpack[ResponseKeywords]) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.html`, whose keywords it takes, except for `streaming`."""
        return self._decorator(options_of(_html(None, **options)))
