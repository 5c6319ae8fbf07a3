"""The options of a run, checked at the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from stream_adapter._limits import check_seconds

__all__ = ["IfDone", "IfRunning", "OnDisconnect", "Options", "Work", "check_lease", "check_retain", "work_of"]

OnDisconnect = Literal["continue", "cancel"]
IfRunning = Literal["join", "reject", "cancel"]
IfDone = Literal["join", "restart"]

MIN_LEASE = 0.1  # seconds; a shorter one could not be renewed in time


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is started and kept; `Broker.run` describes each."""

    on_disconnect: OnDisconnect = "continue"
    if_running: IfRunning = "join"
    if_done: IfDone = "join"
    retain: float = 300.0
    timeout: float | None = None
    lease: float = 15.0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("on_disconnect", ("continue", "cancel")),
            ("if_running", ("join", "reject", "cancel")),
            ("if_done", ("join", "restart")),
        ):
            value: object = getattr(self, name)
            if not isinstance(value, str) or value not in allowed:
                raise ValueError(f"{name}: expected {' or '.join(map(repr, allowed))}, got {value!r}")
        check_retain(self.retain)
        check_seconds("timeout", self.timeout)
        check_lease(self.lease)


@dataclass(frozen=True, slots=True)
class Work:
    """What makes a run's items: a function and its arguments, called when the run has begun."""

    factory: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: Options

    @property
    def name(self) -> str:
        """Its name in the log."""
        return str(getattr(self.factory, "__qualname__", type(self.factory).__name__))

    @property
    def is_async(self) -> bool:
        """Whether it is called on the loop; a plain function is called in a thread, for it may block."""
        factory = self.factory
        called = getattr(factory, "__call__", None)  # noqa: B004  # that of an object with an async one is looked at
        return any(
            inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
            for function in (factory, called)
        )


def work_of(factory: object, arguments: tuple[Any, ...], options: Options) -> Work:
    """Check what makes a run's items.

    Raises:
        TypeError: it is not a function.
    """
    if not callable(factory):
        remedy = "; give the function and its arguments: it is called when the run begins"
        problem = f"factory: expected a function, got {type(factory).__name__}"
        raise TypeError(problem + remedy if hasattr(factory, "__iter__") or hasattr(factory, "__aiter__") else problem)
    return Work(cast("Callable[..., Any]", factory), arguments, options)


def check_lease(lease: object) -> None:
    """Refuse a lease that is not a number of seconds, or too short to be renewed."""
    _check_given("lease", lease)
    if cast("float", lease) < MIN_LEASE:
        raise ValueError(f"lease: expected {MIN_LEASE:g} seconds or more, got {lease!r}")


def check_retain(retain: object) -> None:
    """Refuse what is not a positive number of seconds."""
    _check_given("retain", retain)


def _check_given(name: str, seconds: object) -> None:
    check_seconds(name, seconds)
    if seconds is None:
        raise TypeError(f"{name}: expected seconds, got None")
