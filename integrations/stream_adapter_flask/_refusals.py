"""Refusals of the core as Flask answers them: as exceptions of Werkzeug's, with their status and headers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import current_app, request
from werkzeug.exceptions import HTTPException, default_exceptions

from stream_adapter.integration import RefusalError, merge_headers, refusal_head

__all__ = ["answering_refusals"]


class _Refusal(HTTPException):
    """A refusal of the core as an HTTPException, which the app's error handlers know by its class and its code."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        super().__init__()
        self._headers = headers

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the headers of the error page, and those of the refusal."""
        return merge_headers(super().get_headers(*args, **kwargs), self._headers)


@lru_cache(maxsize=64)
def _refusal_class(status: int) -> type[_Refusal]:
    base = default_exceptions.get(status, HTTPException)
    return type(base.__name__, (_Refusal, base), {"code": status})


class _AnsweringRefusals:
    """Raise a refusal as Werkzeug's exception of its status, with its headers. Every request enters it.

    One whose class the app has an error handler for is raised as it is; a handler for every Exception does not count.
    """

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, RefusalError) and not _is_handled(type(error)):
            status, headers = refusal_head(error)
            raise _refusal_class(status)(headers) from error


answering_refusals = _AnsweringRefusals()


def _is_handled(refusal: type[RefusalError]) -> bool:
    classes = refusal.__mro__[: refusal.__mro__.index(Exception)]
    handlers = [current_app.error_handler_spec.get(scope, {}).get(None, {}) for scope in (*request.blueprints, None)]
    return any(known in of_scope for known in classes for of_scope in handlers)
