"""The options of a response: one frozen value, checked when it is made, and how one fills in what another lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Unpack

from ._default_headers import added_fields, completed_head
from ._encode import check_charset
from ._headers import (
    checked_headers,
    field_value,
    without_fields,
    without_hop_by_hop,
)
from ._hints import unknown_option
from ._keywords import ResponseKeywords, shows_options
from ._limits import Limits, StreamSummary, check_seconds
from ._media_types import check_media_type, media_type_charset
from ._status import check_status
from .formats import Format
from .types import Chunk, Flush

__all__ = ["NO_OPTIONS", "ResponseOptions", "checked_options"]


@lru_cache(maxsize=128)  # a silent stream keeps its options, and most have the names of another's
def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


@dataclass(frozen=True, init=False)
class ResponseOptions(Mapping[str, Any]):
    """The options of a response, checked. As a mapping it holds those that were given: `Response(rows, **options)`.

    An instance stores only what differs from the defaults, which are the class's: most responses have few options.

    Attributes:
        given: the names of the options that were given; the other attributes have the library's defaults.
    """

    status_code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str | None = None
    charset: str = "utf-8"
    strict: bool = False
    format: Format | None = None
    flush: Flush = "auto"
    commit_after: float | None = None
    limits: Limits = Limits()  # noqa: RUF009  # frozen
    on_error: Callable[[BaseException], Chunk] | None = None
    on_close: Callable[[StreamSummary], object] | None = None
    given: frozenset[str] = frozenset()

    if TYPE_CHECKING:

        @property
        def _filled_in(self) -> tuple[ResponseOptions, ResponseOptions] | None: ...

    def __init__(self, values: Mapping[str, Any], given: Iterable[str] = ()) -> None:
        vars(self).update(values, given=_names(*given), _filled_in=None)

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> ResponseOptions:
        """Check keywords of `Response`. Headers are read once, so they may be an iterator.

        Raises:
            TypeError: an option is unknown or of the wrong type.
            ValueError: an option has a value that is not allowed, or two of them contradict each other.
        """
        if not keywords:
            return NO_OPTIONS
        if isinstance(keywords, cls):
            return keywords
        checked: dict[str, Any] = {}
        for name, value in keywords.items():
            check = _CHECKS.get(name)
            if check is not None:
                checked[name] = check(value)
            elif name != "description":
                raise unknown_option(name, ResponseKeywords.__annotations__)
        return _agreeing(cls(checked, checked))

    def changed(self, name: str, value: object) -> ResponseOptions:
        """Return these options with one that was set on the response later; it counts as given, and is not checked."""
        return ResponseOptions({**vars(self), name: value}, self.given | {name})

    def filled_in(self, defaults: ResponseOptions) -> ResponseOptions:
        """Return these options, and in place of those that were not given, those of `defaults`.

        Headers are united, and these options' lines replace those of `defaults`. A format or a media type of these
        options is not mixed with either of `defaults`, nor is strict with a format that encodes its items itself.
        """
        if not self.given:
            return defaults
        last = self._filled_in
        if last is None or last[0] is not defaults:  # those of a view and of its application meet at each request
            last = vars(self)["_filled_in"] = (defaults, self._with_defaults(defaults))
        return last[1]

    def _with_defaults(self, defaults: ResponseOptions) -> ResponseOptions:
        names = defaults.given - self.given
        content_type = self.content_type
        if content_type is not None or not self.given.isdisjoint({"format", "media_type"}):
            names -= {"format", "media_type"}
            if self.format is not None and self.format.frames:
                names -= {"strict"}
        if content_type is not None and media_type_charset(content_type):
            names -= {"charset"}
        filling = {name: getattr(defaults, name) for name in names}
        if self.headers and defaults.headers:
            own = {name.lower() for name, _ in self.headers}
            filling["headers"] = (*without_fields(defaults.headers, own), *self.headers)
        if not filling:
            return self
        return _agreeing(ResponseOptions({**vars(self), **filling}, self.given.union(filling)))

    def head_in(self, format: Format, *, has_body: bool = True) -> list[tuple[str, str]]:
        """Return the header fields of a response with these options in a format: the user's, and the defaults."""
        content_type = (self.format and self.media_type) or format.media_type
        defaults = (content_type, self.charset, tuple(format.headers.items()))
        if not self.headers:
            return list(added_fields((), *defaults, has_body=has_body))
        own = without_hop_by_hop(self.headers)
        names = tuple([name.lower() for name, _ in own])
        if "vary" in names:  # the one field that is united
            return completed_head(own, *defaults, has_body=has_body)
        return [*own, *added_fields(names, *defaults, has_body=has_body)]

    @property
    def content_type(self) -> str | None:
        """The Content-Type that the user named, as a header or a media type; None if the format names it."""
        named = field_value(self.headers, "content-type")
        return self.media_type if named is None else named

    def __getitem__(self, name: str) -> Any:
        if name not in self.given:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self) if field.name in self.given)

    def __len__(self) -> int:
        return len(self.given)


def _agreeing(options: ResponseOptions) -> ResponseOptions:
    """Return options that do not contradict each other; without a charset, they have that of the Content-Type."""
    content_type = options.content_type
    declared = media_type_charset(content_type) if content_type else None
    if declared:
        declared = check_charset(declared)
        if "charset" not in options.given:
            options = ResponseOptions({**vars(options), "charset": declared}, options.given)
        elif declared != options.charset:
            raise ValueError(f"charset: {options.charset} contradicts the media type {content_type!r}")
    if options.strict and options.format is not None and options.format.frames:
        name = type(options.format).__name__
        raise ValueError(f"strict: {name} encodes its items itself; strict is for byte streams")
    return options


NO_OPTIONS: Final = ResponseOptions({})


@shows_options()
def checked_options(**options: Unpack[ResponseKeywords]) -> ResponseOptions:
    """Return options that are given once and serve for many responses.

    Raises:
        TypeError: an option is unknown or of the wrong type.
        ValueError: an option has a value that is not allowed.
    """
    return ResponseOptions.of(options)


def _checked_media_type(value: object) -> str | None:
    return None if value is None else check_media_type(value)


def _checked_strict(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"strict: expected True or False, got {type(value).__name__}")
    return value


def _checked_format(value: object) -> Format | None:
    if value is not None and not isinstance(value, Format):
        raise TypeError(f"format: expected a stream_adapter.formats.Format, got {type(value).__name__}")
    return value


def _checked_flush(value: object) -> Flush:
    if value not in ("auto", "item", "bulk"):  # by equality: what it is given may have no hash
        raise ValueError(f"flush: expected 'auto', 'item' or 'bulk', got {value!r}")
    return value


def _checked_commit_after(value: Any) -> float | None:
    check_seconds("commit_after", value, zero=True)
    seconds: float | None = value
    return seconds


def _checked_limits(value: object) -> Limits:
    if not isinstance(value, Limits):
        raise TypeError(f"limits: expected Limits(…), got {type(value).__name__}")
    return value


def _function_check(name: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is not None and not callable(value):
            raise TypeError(f"{name}: expected a function, got {type(value).__name__}")
        return value

    return check


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "status_code": check_status,
    "headers": lambda headers: tuple(checked_headers(headers)),
    "media_type": _checked_media_type,
    "charset": check_charset,
    "format": _checked_format,
    "strict": _checked_strict,
    "flush": _checked_flush,
    "commit_after": _checked_commit_after,
    "limits": _checked_limits,
    "on_error": _function_check("on_error"),
    "on_close": _function_check("on_close"),
}
