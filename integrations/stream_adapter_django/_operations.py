"""Operations of django-ninja: their API's exception handlers, and the response schema that they declare.

The framework gives a decorator of an operation's `run` (its `decorate_view`). That is where the operation is known, for
a router that is mounted twice has two of one view.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ._response import StreamResponse
from ._schema import Contract, contract_of

__all__ = ["held", "join_operation"]

_contract: ContextVar[Contract | None] = ContextVar("stream_adapter_django.contract", default=None)


def join_operation(view: Any) -> None:
    """Have django-ninja, if this view becomes an operation of it, run it as one that streams."""
    if "ninja" in sys.modules:
        import_module("ninja.decorators").decorate_view(_operated)(view)


def held(result: Any) -> Any:
    """Return what an operation streams, held to the schema that it declares; anything else is returned as it is."""
    contract = _contract.get()
    return result if contract is None else contract.hold(result)


def _operated(run: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the `run` of an operation.

    Raises:
        TypeError: the operation is declared as a stream of the framework's own.
    """
    operation: Any = getattr(inspect.unwrap(run), "__self__", None)
    if getattr(operation, "stream_format", None) is not None:
        raise TypeError(
            f"{operation.view_func.__qualname__}: got both @streaming and a stream of django-ninja's own in response=;"
            " leave out the one or the other (with @streaming, declare a list of the items)"
        )
    contract = contract_of(operation)

    def bound(response: HttpResponseBase, request: HttpRequest) -> HttpResponseBase:
        if isinstance(response, StreamResponse):
            response.answer_errors_by(lambda error: operation.api.on_exception(request, error))
        return response

    @functools.wraps(run)
    def sync_run(request: HttpRequest, **arguments: Any) -> Any:
        with _holding(contract):
            return bound(run(request, **arguments), request)

    @functools.wraps(run)
    async def async_run(request: HttpRequest, **arguments: Any) -> Any:
        with _holding(contract):
            running: Awaitable[HttpResponseBase] = run(request, **arguments)
            return bound(await running, request)

    return async_run if operation.is_async else sync_run


@contextmanager
def _holding(contract: Contract | None) -> Generator[None]:
    before = _contract.get()
    _contract.set(contract)
    try:
        yield
    finally:
        _contract.set(before)
