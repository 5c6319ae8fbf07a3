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
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from stream_adapter import Response
from stream_adapter.integration import ResponseOptions

from ._response import StreamResponse
from ._schema import Contract, contracts_of

__all__ = ["held", "join_operation"]


@dataclass(frozen=True, slots=True)
class _Running:
    """An operation that answers a request, and the contracts of its responses."""

    operation: Any
    request: HttpRequest
    contracts: dict[Any, Contract | None]


_running: ContextVar[_Running | None] = ContextVar("stream_adapter_django.operation", default=None)


def join_operation(view: Any) -> None:
    """Have django-ninja, if this view becomes an operation of it, run it as one that streams."""
    if "ninja" in sys.modules:
        import_module("ninja.decorators").decorate_view(_operated)(view)


def held(result: Any, options: ResponseOptions) -> tuple[Any, ResponseOptions]:
    """Return what to stream, and its options: in an operation, held to the schema that it declares for the status.

    Args:
        result: what the view returned; in an operation it may bring its status, as the framework has it.
        options: those of Response.

    Raises:
        TypeError: the operation declares a response, and none of this status.
    """
    running = _running.get()
    if running is None:
        return result, options
    status, content = _status_and_content(result)
    if status is None and isinstance(content, Response):
        status = content.status_code
    elif status is None:
        status = options.get("status_code") or _only_status(running.contracts)
    contract = _contract_for(running, status)
    if contract is not None:
        content = contract.hold(content, {"request": running.request, "response_status": status})
    return content, options if status == 200 else {**options, "status_code": status}


def _only_status(contracts: dict[Any, Contract | None]) -> int:
    """Return the status of an operation that declares one response, as the framework answers it; 200 for others."""
    (only, *others) = contracts
    return only if not others and _is_success(only) else 200


def _contract_for(running: _Running, status: int) -> Contract | None:
    declared = running.contracts
    if status in declared or Ellipsis in declared:
        return declared.get(status, declared.get(Ellipsis))
    if any(contract is not None for code, contract in declared.items() if _is_success(code)):
        raise TypeError(
            f"{running.operation.view_func.__qualname__}: response= has no schema for status {status}; declare it, or"
            " give @streaming the status_code that is declared"
        )
    return None


def _is_success(status: Any) -> bool:
    return status is not Ellipsis and 200 <= status < 300


def _status_and_content(result: Any) -> tuple[Any, Any]:
    """Take apart a status and a body, which the framework's views may return together."""
    cls = cast("type[object]", type(result))
    if cls is tuple and len(result) == 2 and isinstance(result[0], int):
        return result[0], result[1]
    if cls.__name__ == "Status" and cls.__module__.partition(".")[0] == "ninja":
        return result.status_code, result.value
    return None, result


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
    contracts = contracts_of(operation)

    def bound(response: HttpResponseBase, request: HttpRequest) -> HttpResponseBase:
        if isinstance(response, StreamResponse):
            response.answer_errors_by(lambda error: operation.api.on_exception(request, error))
        return response

    @functools.wraps(run)
    def sync_run(request: HttpRequest, **arguments: Any) -> Any:
        with _holding(_Running(operation, request, contracts)):
            return bound(run(request, **arguments), request)

    @functools.wraps(run)
    async def async_run(request: HttpRequest, **arguments: Any) -> Any:
        with _holding(_Running(operation, request, contracts)):
            running: Awaitable[HttpResponseBase] = run(request, **arguments)
            return bound(await running, request)

    return async_run if operation.is_async else sync_run


@contextmanager
def _holding(running: _Running) -> Generator[None]:
    before = _running.get()
    _running.set(running)
    try:
        yield
    finally:
        _running.set(before)
