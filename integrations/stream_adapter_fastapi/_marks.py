"""What a wrapper says of the view behind it, in attributes: FastAPI would look through `__wrapped__`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["documentation_of", "documented_response", "is_wrapped", "mark", "name_of", "view_of"]

_VIEW = "stream_adapter_view"
_DOCUMENTED = "stream_adapter_documented"
_STREAMING = "__stream_adapter__"  # its response class for the documentation, if the view is under `@streaming`


def mark(wrapper: Callable[..., Any], view: Callable[..., Any], *, documented: Any, streaming: Any) -> None:
    """Note on a wrapper what it wraps.

    Args:
        wrapper: the function that FastAPI calls.
        view: the view that it calls.
        documented: the response class that says what the view streams; None if nothing is known.
        streaming: the response class of a view under `@streaming`; None for another view.
    """
    vars(wrapper).update({_VIEW: view, _DOCUMENTED: documented, _STREAMING: streaming})


def is_wrapped(view: Callable[..., Any]) -> bool:
    """Return True if the view converts its results already."""
    return hasattr(view, _STREAMING)


def view_of(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return the view that was wrapped; another view itself."""
    inner: Callable[..., Any] = getattr(view, _VIEW, view)
    return inner


def name_of(view: Callable[..., Any]) -> str:
    """Return the view's name, for errors."""
    return getattr(view, "__qualname__", None) or type(view).__qualname__


def documentation_of(view: Any) -> Any:
    """Return the response class that says what a wrapped view streams; None if nothing is known of that."""
    return getattr(view, _DOCUMENTED, None)


def documented_response(view: Callable[..., Any]) -> Any:
    """Return the response class for the documentation of a view under `@streaming`; None for another view."""
    return getattr(view, _STREAMING, None)
