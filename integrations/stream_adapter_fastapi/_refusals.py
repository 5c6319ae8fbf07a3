"""Refusals of the core as an application answers them: by its own handler, or as an HTTPException of their status."""

from __future__ import annotations

from fastapi import HTTPException

from stream_adapter.integration import RefusalError, refusal_head
from stream_adapter.types import Scope

__all__ = ["AnsweringRefusals"]


class AnsweringRefusals:
    """Raise a refusal as the HTTPException of its status, with its headers. Every call of a view enters one.

    One whose class the application has an exception handler for is raised as it is. A handler for every Exception does
    not count.

    Args:
        scope: the request's.
    """

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, RefusalError) and not _is_handled(type(error), self._scope):
            status, headers = refusal_head(error)
            raise HTTPException(status, headers=dict(headers)) from error


def _is_handled(refusal: type[RefusalError], scope: Scope) -> bool:
    classes = refusal.__mro__[: refusal.__mro__.index(Exception)]
    handlers = getattr(scope.get("app"), "exception_handlers", {})
    return any(known in handlers for known in classes)
