"""What a view's return annotation, or a `response_model`, says of each item of its stream."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from collections.abc import Set as AbstractSet
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from starlette.responses import Response
from typing_extensions import TypeAliasType, is_typeddict

import stream_adapter as sa
from stream_adapter.integration import RequestSource, is_event, kind_of

__all__ = ["class_of", "is_container", "item_of", "may_be_text"]

_CONTAINERS = frozenset(
    {AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Generator, Iterable, Iterator, Sequence}
    | {AbstractSet, deque, frozenset, list, set}
)


def item_of(declared: Any) -> Any:
    """Return the type of an item; None if nothing is said of it.

    `Iterator[Item]`, `list[Item]` and their like are containers of items; any other type is that of an item itself.
    Response classes and events, which carry items, are left out of a union; None is left out of the outer
    one.
    """
    items: list[Any] = []
    for member in _members(declared):
        if member is not NoneType and not _carries(member):
            items += _items_of(member)
    return None if any(item is Any or item is object for item in items) or items in ([], [NoneType]) else _union(items)


def is_container(declared: Any) -> bool:
    """Return True if a declared type is a container of items, rather than the type of one."""
    return any(_contained(member) is not None for member in _members(declared))


def class_of(item: Any) -> type[Any] | None:
    """Return a class that stands for all items of a type where the first of them decides the format; None if none does.

    Members of a union that are JSON need it for the numbers beside them, too. Text and JSON have no format in common.
    """
    classes = [_class_of_member(member) for member in _members(item)]
    kinds = {None if cls is None else kind_of(cls) for cls in classes}
    if len(kinds) == 1 or kinds == {"text", "number"}:
        return classes[0]
    return dict if kinds == {"json", "number"} else None


def may_be_text(item: Any) -> bool:
    """Return True if items of a type, or some of them, are text, which events have as it is."""
    classes = [_class_of_member(member) for member in _members(item)]
    return any(cls is not None and kind_of(cls) == "text" for cls in classes)


def _class_of_member(item: Any) -> type[Any] | None:
    if get_origin(item) is Annotated:
        return class_of(get_args(item)[0])
    if get_origin(item) is Literal:
        return class_of(_union([type(value) for value in get_args(item)]))
    cls: Any = get_origin(item) or getattr(item, "__supertype__", item)  # a NewType's
    if not isinstance(cls, type) or cls in {Any, object}:
        return None
    is_known = is_event(cls) or (kind_of(cls) is not None and not is_typeddict(cls))
    return cls if is_known else dict  # Pydantic makes JSON of it


def _items_of(declared: Any) -> list[Any]:
    contained = _contained(declared)
    if contained is not None:
        return [item for item in _members(contained) if not _carries(item)]
    return [Any if declared in _CONTAINERS or get_origin(declared) in _CONTAINERS else declared]


def _contained(declared: Any) -> Any:
    """Return what a container is said to hold; None if it is not a container, or nothing is said."""
    origin, arguments = get_origin(declared), get_args(declared)
    is_sequence = origin is tuple and arguments[1:] == (Ellipsis,)
    return arguments[0] if arguments and (origin in _CONTAINERS or is_sequence) else None


def _members(declared: Any) -> list[Any]:
    """Return the members of a union; of another type, itself; of None, NoneType."""
    while isinstance(declared, TypeAliasType):
        declared = declared.__value__
    if get_origin(declared) is Annotated and get_origin(get_args(declared)[0]) in _CONTAINERS:
        declared = get_args(declared)[0]
    if get_origin(declared) in {Union, UnionType}:
        return list(get_args(declared))
    return [NoneType if declared is None else declared]


def _carries(declared: Any) -> bool:
    """Return True for a response, a run or an event: a class that carries items, rather than one of items."""
    if not isinstance(declared, type):
        return False
    cls: type[Any] = declared
    return issubclass(cls, (Response, sa.Response, RequestSource)) or is_event(cls)


def _union(items: list[Any]) -> Any:
    return Union[tuple(items)]  # noqa: UP007  # `|` does not take every annotation
