"""What a wrapper knows of the view behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["DOCUMENTED", "VIEW", "documentation_of", "name_of", "view_of"]

# Attributes of a wrapper. FastAPI would look through `__wrapped__`.
VIEW = "stream_adapter_view"
DOCUMENTED = "stream_adapter_documented"


def view_of(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return the view that was wrapped; another view itself."""
    inner: Callable[..., Any] = getattr(view, VIEW, view)
    return inner


def name_of(view: Callable[..., Any]) -> str:
    """Return the view's name, for errors."""
    return getattr(view, "__qualname__", None) or type(view).__qualname__


def documentation_of(view: Any) -> Any:
    """Return the response class that says what a wrapped view streams; None if nothing is known of that."""
    return getattr(view, DOCUMENTED, None)
