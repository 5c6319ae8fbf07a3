"""`@streaming`: whatever a view yields or returns is streamed, or it is an error that names the view.

Everything but the result is the view's own: see `_wrapping`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.integration import ResponseOptions, StreamingDecorator, response_of_view

from ._compat import get_typed_return_annotation
from ._openapi import describe
from ._stream import Streamer
from ._wrapping import wrap

__all__ = ["streaming"]

P = ParamSpec("P")


class _Streaming(StreamingDecorator[Any]):
    """Stream what a view yields or returns. It stands under the route decorator; above it does nothing.

    The view, sync or async, is a generator function, or one that returns something to stream, a Response, or a response
    of Starlette's, which is passed through.

    Use it as `@streaming`, as `@streaming(**options)` with the options of Response, or by a format with the options of
    that format: `@streaming.sse(keepalive=5)`.
    """

    __slots__ = ()

    def _decorate(self, view: Callable[P, object], options: ResponseOptions) -> Callable[P, Any]:
        def convert(stream: Streamer, result: Any) -> Any:
            if isinstance(result, Response):
                return stream.introduce(result)
            return stream(response_of_view(result, view, **options))

        return wrap(view, convert, described=describe(sa.Response(**options), get_typed_return_annotation(view)))


streaming = _Streaming()
