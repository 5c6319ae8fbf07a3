"""What sse-starlette's tests import from `tests.anyio_compat`, which its sdist leaves out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collapse_excgroups() -> Generator[None]:
    """Raise the only exception of a group, rather than the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None
