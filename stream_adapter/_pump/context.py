"""Context variables: where the steps of a source run, and how what they set reaches the caller."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, Protocol, TypeVar

__all__ = ["StepContext", "copy_variables"]

T = TypeVar("T")

_UNSET = object()


class StepContext(Protocol):
    """The context in which a source's steps run: a `contextvars.Context`, or an object that runs them where it is."""

    def run(self, function: Callable[..., T], /, *arguments: Any) -> T: ...
    def get(self, variable: ContextVar[T], /) -> T | None: ...


def copy_variables(context: Context) -> None:
    """Set each variable of `context` here, if it has another value here: what a task has set, its caller sees."""
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)
