"""What sse-starlette's tests import from `tests.anyio_compat`, which its sdist leaves out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast


@contextmanager
def collapse_excgroups() -> Generator[None]:
    """Raise the only exception of a group, rather than the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: Any = group
        while isinstance(error, BaseExceptionGroup) and len(cast("Any", error).exceptions) == 1:
            error = cast("Any", error).exceptions[0]
        raise error from None
