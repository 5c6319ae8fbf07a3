"""`@streaming`: whatever a view yields or returns is streamed, or it is an error that names the view.

Everything but the result is the view's own: see `_wrapping`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, Protocol, Unpack, overload

from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.errors import SourceError
from stream_adapter.integration import FormatDecorators, ResponseOptions, checked_options

from ._compat import get_typed_return_annotation
from ._names import name_of
from ._openapi import describe
from ._stream import Streamer
from ._wrapping import wrap

__all__ = ["streaming"]

P = ParamSpec("P")


class _Decorator(Protocol):
    def __call__(self, view: Callable[P, object], /) -> Callable[P, Any]: ...


class _Streaming(FormatDecorators[_Decorator]):
    """Stream what a view yields or returns. It stands under the route decorator; above it does nothing.

    The view, sync or async, is a generator function, or one that returns something to stream, a Response, or a response
    of Starlette's, which is passed through.

    Use it as `@streaming`, as `@streaming(**options)` with the options of Response, or by a format with the options of
    that format: `@streaming.sse(keepalive=5)`.
    """

    __slots__ = ()

    @overload
    def __call__(self, view: Callable[P, object], /) -> Callable[P, Any]: ...
    @overload
    def __call__(self, /, **options: Unpack[ResponseOptions]) -> _Decorator: ...
    def __call__(self, view: Callable[..., object] | None = None, /, **options: Unpack[ResponseOptions]) -> Any:
        """Decorate a view, or return the decorator that has these options.

        Args:
            view: the view.
            **options: those of Response.

        Raises:
            TypeError: an option is unknown or of the wrong type.
            ValueError: an option has a value that is not allowed.
        """
        decorator = self._decorator(options)
        return decorator if view is None else decorator(view)

    def _decorator(self, options: ResponseOptions) -> _Decorator:
        if "description" in options:
            raise TypeError("streaming: the content is what the view returns; description is not an option here")
        options = checked_options(**options)  # so that a bad one is an error here
        return partial(_stream_all, options=options, declared=sa.Response(**options))


streaming = _Streaming()


def _stream_all(view: Callable[..., object], options: ResponseOptions, declared: sa.Response) -> Any:
    def convert(stream: Streamer, result: Any) -> Any:
        if isinstance(result, Response):
            return stream.introduce(result)
        if result is None:
            raise SourceError(f"{name_of(view)} returned None; yield, or return something to stream")
        try:
            return stream(result, **options)
        except SourceError as error:
            raise SourceError(f"{name_of(view)} returned what cannot be streamed; {error}") from error

    return wrap(view, convert, described=describe(declared, get_typed_return_annotation(view)))
