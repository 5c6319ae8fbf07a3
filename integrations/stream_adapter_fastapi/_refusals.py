"""Refusals of the core as an application answers them: by its own handler, or as an HTTPException of their status."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from fastapi import HTTPException

from stream_adapter.integration import RefusalError, refusal_head
from stream_adapter.types import Scope

__all__ = ["answering_refusals"]


@contextmanager
def answering_refusals(scope: Scope) -> Generator[None]:
    """Raise a refusal as the HTTPException of its status, with its headers.

    One whose class the application has an exception handler for is raised as it is. A handler for every Exception does
    not count.
    """
    try:
        yield
    except RefusalError as error:
        if _is_handled(type(error), scope):
            raise
        status, headers = refusal_head(error)
        raise HTTPException(status, headers=dict(headers)) from error


def _is_handled(refusal: type[RefusalError], scope: Scope) -> bool:
    classes = refusal.__mro__[: refusal.__mro__.index(Exception)]
    handlers = getattr(scope.get("app"), "exception_handlers", {})
    return any(known in handlers for known in classes)
