"""The keywords of `Response`: their types, the default of those that are not given, and how signatures show them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypedDict, TypeVar

from ._limits import Limits, StreamSummary
from .formats import Format
from .types import Chunk, Flush, HeadersInput, Source

__all__ = ["UNSET", "ResponseKeywords", "shows_options"]

Function = TypeVar("Function", bound=Callable[..., Any])


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final[Any] = _Unset()
"""The default of an option that was not given: the defaults of an application may then fill it in."""


class ResponseKeywords(TypedDict, total=False):
    """The keywords of `Response`, for functions that pass them on: `**options: Unpack[ResponseKeywords]`."""

    status_code: int
    headers: HeadersInput | None
    media_type: str | None
    charset: str
    strict: bool
    format: Format | None
    flush: Flush
    commit_after: float | None
    limits: Limits
    on_error: Callable[[BaseException], Chunk] | None
    on_close: Callable[[StreamSummary], object] | None
    description: Source


_ANNOTATIONS = {name: written.__forward_arg__ for name, written in ResponseKeywords.__annotations__.items()}


def shows_options(*without: str) -> Callable[[Function], Function]:
    """Spell out, in the signature that `help` and `inspect.signature` show, the options behind a `**` parameter.

    Type checkers, and editors that use one, read them from `Unpack[ResponseKeywords]`.

    Args:
        *without: names of options that the function does not take.
    """

    def show(function: Function) -> Function:
        signature = inspect.signature(function)
        shown = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        shown += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=UNSET, annotation=annotation)
            for name, annotation in _ANNOTATIONS.items()
            if name not in signature.parameters and name not in {"description", *without}
        ]
        vars(function)["__signature__"] = signature.replace(parameters=shown)
        return function

    return show
