"""The views of integrations: `@streaming`, and the Response for the result of a view."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from ._keywords import ResponseKeywords, shows_options
from ._options import NO_OPTIONS, ResponseOptions, checked_options
from ._response import Response, make_response
from ._shortcut_decorators import FormatDecorators, ViewDecorator, check_view
from ._source import is_stream as _is_iterator
from .errors import SourceError
from .types import Source

__all__ = ["StreamingDecorator", "ViewDecorator", "as_response", "is_stream", "response_of_view"]

P = ParamSpec("P")
Result_co = TypeVar("Result_co", covariant=True)


def is_stream(value: object) -> bool:
    """Return True if an app-wide adapter streams what a view returned: a Response, or an iterator, sync or async.

    A list, tuple, dict or text is the framework's own.
    """
    return isinstance(value, Response) or _is_iterator(value)


@shows_options()
def as_response(
    content: Source, options: ResponseOptions = NO_OPTIONS, /, **defaults: Unpack[ResponseKeywords]
) -> Response:
    """Make a Response of content; one that is a Response already has only what it was not given filled in.

    Args:
        content: whatever a Response takes, or a Response.
        options: what `checked_options` returned, which is not checked again.
        **defaults: or the options, by name.
    """
    if isinstance(content, Response):
        return content.with_defaults(options, **defaults)
    if defaults:
        if "description" in defaults:
            return Response(content, **defaults)
        options = ResponseOptions.of({**options, **defaults})
    return make_response(content, options)


class StreamingDecorator(FormatDecorators[ViewDecorator[Result_co]], Generic[Result_co]):
    """The base of each framework's `streaming`: `@streaming`, `@streaming(**options)`, `@streaming.sse(keepalive=5)`.

    An integration writes `_decorate`, which wraps one view, and a docstring that says what its views may return.
    """

    __slots__ = ()

    def _decorate(self, view: Callable[P, object], options: ResponseOptions) -> Callable[P, Result_co]:
        """Return `view`, such that what it yields or returns is streamed with these options, which are checked."""
        raise NotImplementedError

    @overload
    def __call__(self, view: Callable[P, object], /) -> Callable[P, Result_co]: ...
    @overload
    def __call__(self, /, **options: Unpack[ResponseKeywords]) -> ViewDecorator[Result_co]: ...
    @shows_options()
    def __call__(self, view: Callable[..., object] | None = None, /, **options: Unpack[ResponseKeywords]) -> Any:
        """Decorate a view, or return the decorator that has these options.

        Args:
            view: the view.
            **options: those of Response, for what the view returns.

        Raises:
            TypeError: an option is unknown or of the wrong type.
            ValueError: an option has a value that is not allowed.
        """
        if "description" in options:
            raise TypeError("streaming: the content is what the view returns; description is not an option here")
        decorator = self._decorator(checked_options(**options))  # a bad option is an error where it is written
        if view is None:
            return decorator
        check_view(view, "streaming")
        return decorator(view)

    def _decorator(self, options: ResponseOptions) -> ViewDecorator[Result_co]:
        def decorate(view: Callable[P, object], /) -> Callable[P, Result_co]:
            return self._decorate(view, options)

        return decorate


def response_of_view(
    result: Any, view: Any, options: ResponseOptions = NO_OPTIONS, /, **given: Unpack[ResponseKeywords]
) -> Response:
    """Return the Response for the result of a view.

    Args:
        result: what it returned. A Response has only the options filled in that it was not given.
        view: the view, for the error.
        options: what `checked_options` returned.
        **given: or the options of Response, by name.

    Raises:
        SourceError: it is None, or cannot be streamed. The text names the view.
    """
    if result is None:
        raise SourceError(f"{_described(view)} returned None; yield, or return something to stream")
    try:
        return as_response(result, options, **given)
    except SourceError as error:
        raise SourceError(f"{_described(view)} returned what cannot be streamed; {error}") from error


def _described(view: Any) -> str:
    """Return where a view is, and its name; of a class-based view, or another object, its class's."""
    while isinstance(view, functools.partial):
        view = view.func
    named: Any = getattr(view, "view_class", view)  # Django's and Flask's `as_view` have the class there
    named = named if hasattr(named, "__qualname__") else named.__class__
    return f"{named.__module__}.{named.__qualname__}: {named.__name__}"
