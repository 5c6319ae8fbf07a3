"""What content is, and so how it is read. What only looks like a stream is refused."""

from __future__ import annotations

import functools
import inspect
from collections import deque
from enum import Enum, auto
from itertools import chain, islice
from types import AsyncGeneratorType, CoroutineType, GeneratorType, NoneType
from typing import TYPE_CHECKING, Any

from ._encode import kind_of
from ._readers import Reading, reading_of
from ._records import iterates_itself
from ._remedies import is_frame, name_of, remedy_for, remedy_for_content
from .errors import SourceError

__all__ = ["COMMON", "READY", "Kind", "is_stream", "look_at"]


class Kind(Enum):
    """How a source is read."""

    if not TYPE_CHECKING:
        __hash__ = object.__hash__  # Enum's own is a function in Python, and each request asks several times

    ONE = auto()  # one chunk, or none
    ITEMS = auto()  # all there already: reading it never waits
    SYNC = auto()
    ASYNC = auto()
    EITHER = auto()  # sync or async, as the server side prefers
    AWAITABLE = auto()  # will be one of the others


READY = frozenset({Kind.ONE, Kind.ITEMS})  # nothing to wait for, and nothing to close

COMMON: dict[type, Kind] = {  # what most content is, without a look at it
    GeneratorType: Kind.SYNC,
    AsyncGeneratorType: Kind.ASYNC,
    CoroutineType: Kind.AWAITABLE,
    **dict.fromkeys((map, filter, zip, enumerate, chain, islice, type(iter([])), type(iter(()))), Kind.SYNC),
    **dict.fromkeys((bytes, str, NoneType), Kind.ONE),
    **dict.fromkeys((list, tuple, set, frozenset, range, deque), Kind.ITEMS),
}


def look_at(content: Any) -> tuple[Kind, Reading | None]:
    """Return the kind of any content, and how it is read if it is not iterated.

    Raises:
        SourceError: it cannot be streamed.
    """
    _refuse_uncalled(content)
    if _is_value(content):
        return Kind.ONE, None
    _refuse_frame(content)
    reading = reading_of(content)
    return _kind(content, reading), reading


def is_stream(value: object) -> bool:
    """Whether an app-wide adapter takes `value`, returned by a view, for a stream: an iterator, sync or async."""
    return hasattr(value, "__next__") or hasattr(value, "__anext__")


def _kind(content: Any, reading: Reading | None) -> Kind:  # a table, in order
    if reading is not None:
        return Kind.ASYNC if reading.is_async else Kind.SYNC
    is_sync, is_async = hasattr(content, "__iter__"), hasattr(content, "__aiter__")
    if is_sync and is_async:
        return Kind.EITHER
    if is_async or hasattr(content, "__anext__"):
        return Kind.ASYNC
    if inspect.isawaitable(content):
        return Kind.AWAITABLE
    if is_sync or hasattr(content, "__next__") or hasattr(content.__class__, "__getitem__"):
        return Kind.SYNC  # the last by its numbered items, from 0
    raise SourceError(
        "content: expected bytes, text, a mapping, an iterable or async iterable of chunks, an awaitable of one of"
        f" them, or a file, got {name_of(content.__class__)}{remedy_for_content(content)}"
    )


def _is_value(content: Any) -> bool:
    """Return True for one chunk. An object that is iterated as a stream is not one, whatever fields it has."""
    if isinstance(content, (bytes, bytearray, memoryview, str)):
        return True
    cls: type[Any] = content.__class__
    return kind_of(cls) is not None and not _streams(content) and not iterates_itself(cls)


def _streams(content: object) -> bool:
    return any(hasattr(content, name) for name in ("__anext__", "__aiter__", "__next__"))


def _refuse_frame(content: Any) -> None:
    if is_frame(content.__class__):
        raise SourceError(f"content: expected rows, got {name_of(content.__class__)}{remedy_for(content)}")


def _refuse_uncalled(content: Any) -> None:
    function = content.func if isinstance(content, functools.partial) else content
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SourceError(f"content: expected a generator, got generator function {function.__name__}; call it")
    if inspect.isroutine(function) or isinstance(function, type):
        name = getattr(function, "__name__", repr(function))
        raise SourceError(f"content: expected something to stream, got {name} itself; call it")
