"""Lazy text: translations that are looked up when they are encoded.

Such an object is not a `str`, and the language that is active when it is encoded decides what it says. It is known by
the name of its class, so that no framework is imported to look for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

__all__ = ["as_text", "is_late", "is_text"]

_LAZY = frozenset(
    {
        "django.utils.functional.Promise",  # gettext_lazy, reverse_lazy, format_lazy
        "flask_babel.speaklater.LazyString",
        "speaklater._LazyString",
        "babel.support.LazyProxy",
    }
)
_LAZY_NAMES = frozenset({"LazyString", "_LazyString"})  # of the forks of those


def _is_late(cls: type[Any]) -> bool:
    return not issubclass(cls, str) and any(
        base.__name__ in _LAZY_NAMES or f"{base.__module__}.{base.__qualname__}" in _LAZY for base in cls.__mro__
    )


is_late = cast("Callable[[type[Any]], bool]", lru_cache(maxsize=1024)(_is_late))
"""Return True if instances are text that is looked up when it is shown, and no `str`."""


def is_text(cls: type[Any]) -> bool:
    """Return True if instances are text: of a `str`, or looked up late."""
    return issubclass(cls, str) or is_late(cls)


def as_text(value: object) -> object:
    """Return text that is looked up late as `str`, in the language that is active now; anything else as it is."""
    return value if isinstance(value, str) or not is_late(type(value)) else str(value)
