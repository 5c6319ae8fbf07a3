"""Our classes, made one with the app's own where it has such."""

from __future__ import annotations

from typing import TypeVar, cast

__all__ = ["mixed"]

T = TypeVar("T")

_made: dict[tuple[type, type], type] = {}


def mixed(ours: type[T], theirs: type) -> type[T]:
    """Return a class that is both: `ours` itself if it is one of `theirs` already."""
    if issubclass(ours, theirs):
        return ours
    made = _made.get((ours, theirs))
    if made is None:
        made = _made[ours, theirs] = type(ours.__name__, (ours, theirs), {})
    return cast("type[T]", made)
