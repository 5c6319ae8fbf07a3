"""The decorators per format, `@streaming.sse(keepalive=5)`, which the integrations share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Literal, TypeVar, Unpack

from ._options import ResponseKeywords, ResponseOptions, shows_options
from ._response import Response, options_of
from ._shortcuts import csv, html, json_array, json_seq, ndjson, sse, text
from .formats._profiles import Profile
from .formats.csv import Dialect, Extras
from .types import JSONDumps

__all__ = ["FormatDecorators"]

Decorator_co = TypeVar("Decorator_co", covariant=True)


class FormatDecorators(Generic[Decorator_co]):
    """A method per format, each a decorator of views. It takes the keywords of the shortcut of the same name.

    An integration derives its `streaming` from it, and says in `_decorator` how options become a decorator. So a
    generator view has the options of its format where it is written, and needs no second function.
    """

    __slots__ = ()

    def _decorator(self, options: ResponseOptions) -> Decorator_co:
        """Return the decorator that streams what a view yields or returns with these options."""
        raise NotImplementedError

    def _decorator_like(self, made: Response) -> Decorator_co:
        return self._decorator(options_of(made))

    @shows_options()
    def text(self, **options: Unpack[ResponseKeywords]) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.text`."""
        return self._decorator_like(text(None, **options))

    @shows_options()
    def html(self, **options: Unpack[ResponseKeywords]) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.html`."""
        return self._decorator_like(html(None, **options))

    @shows_options()
    def ndjson(self, *, json_dumps: JSONDumps | None = None, **options: Unpack[ResponseKeywords]) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.ndjson`."""
        return self._decorator_like(ndjson(None, json_dumps=json_dumps, **options))

    @shows_options()
    def json_array(self, *, json_dumps: JSONDumps | None = None, **options: Unpack[ResponseKeywords]) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.json_array`."""
        return self._decorator_like(json_array(None, json_dumps=json_dumps, **options))

    @shows_options()
    def json_seq(self, *, json_dumps: JSONDumps | None = None, **options: Unpack[ResponseKeywords]) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.json_seq`."""
        return self._decorator_like(json_seq(None, json_dumps=json_dumps, **options))

    @shows_options()
    def csv(
        self,
        header: Iterable[object] | Literal[False] | None = None,
        *,
        dialect: Dialect = "excel",
        bom: bool = False,
        filename: str | None = None,
        escape_formulas: bool = False,
        extras: Extras = "raise",
        **options: Unpack[ResponseKeywords],
    ) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.csv`."""
        made = csv(
            None,
            header,
            dialect=dialect,
            bom=bom,
            filename=filename,
            escape_formulas=escape_formulas,
            extras=extras,
            **options,
        )
        return self._decorator_like(made)

    @shows_options()
    def sse(
        self,
        *,
        keepalive: float | None = 15.0,
        retry: int | None = 2000,
        end: str | None = None,
        profile: Profile | None = None,
        json_dumps: JSONDumps | None = None,
        **options: Unpack[ResponseKeywords],
    ) -> Decorator_co:
        """Stream what the view yields as `stream_adapter.sse`."""
        made = sse(None, keepalive=keepalive, retry=retry, end=end, profile=profile, json_dumps=json_dumps, **options)
        return self._decorator_like(made)
