"""Operations of django-ninja: their API's exception handlers, and the response schema that they declare.

The framework gives a decorator of an operation's `run` (its `decorate_view`). That is where the operation is known, for
a router that is mounted twice has two of one view. The attributes of an operation are undocumented, and read nowhere
else; they were read at django-ninja 1.4.

django-ninja filters by the schema what an operation returns: fields that the schema does not have are not sent. So they
are not in a stream either. A `response=list[User]` is a stream of users, and so is `response=User`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum
from functools import partial
from importlib import import_module
from typing import Any, cast, get_args, get_origin
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from stream_adapter import Response, ServerSentEvent
from stream_adapter.errors import ChunkValueError
from stream_adapter.integration import RequestSource, ResponseOptions, checked_options

from ._requests import holding
from ._response import StreamResponse

__all__ = ["join_operation", "running_operation"]


@dataclass(frozen=True, slots=True)
class RunningOperation:
    """An operation that answers a request, and the contracts of its responses."""

    operation: Any
    request: HttpRequest
    contracts: dict[Any, Contract | None]

    def hold_to_schema(self, result: Any, options: ResponseOptions) -> tuple[Any, ResponseOptions]:
        """Return what to stream, held to the schema that the operation declares for the status, and its options.

        Args:
            result: what the view returned; it may bring its status, as the framework has it.
            options: those of Response.

        Raises:
            TypeError: the operation declares a response, and none of this status.
        """
        status, content = _status_and_content(result)
        if status is None and isinstance(content, Response):
            status = content.status_code
        elif status is None:
            status = options.get("status_code") or _only_status(self.contracts)
        contract = _contract_for(self, status)
        if contract is not None:
            content = contract.hold(content, {"request": self.request, "response_status": status})
        return content, options if status == 200 else checked_options(status_code=status).filled_in(options)


running_operation: ContextVar[RunningOperation | None] = ContextVar("stream_adapter_django.operation", default=None)
"""The operation of the present request; None for any other view."""


def join_operation(view: Any) -> None:
    """Have django-ninja, if this view becomes an operation of it, run it as one that streams."""
    if "ninja" in sys.modules:
        import_module("ninja.decorators").decorate_view(_operated)(view)


def _only_status(contracts: dict[Any, Contract | None]) -> int:
    """Return the status of an operation that declares one response, as the framework answers it; 200 for others."""
    (only, *others) = contracts
    return only if not others and _is_success(only) else 200


def _contract_for(running: RunningOperation, status: int) -> Contract | None:
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
    contracts = _contracts_of(operation)

    def bound(response: HttpResponseBase, request: HttpRequest) -> HttpResponseBase:
        if isinstance(response, StreamResponse):
            response.answer_errors_by(lambda error: operation.api.on_exception(request, error))
        return response

    @functools.wraps(run)
    def sync_run(request: HttpRequest, **arguments: Any) -> Any:
        with holding(running_operation, RunningOperation(operation, request, contracts)):
            return bound(run(request, **arguments), request)

    @functools.wraps(run)
    async def async_run(request: HttpRequest, **arguments: Any) -> Any:
        with holding(running_operation, RunningOperation(operation, request, contracts)):
            running: Awaitable[HttpResponseBase] = run(request, **arguments)
            return bound(await running, request)

    return async_run if operation.is_async else sync_run


def _contracts_of(operation: Any) -> dict[Any, Contract | None]:
    """Return the contract for each status that an operation declares, Ellipsis for any; None where it has no schema."""
    return {status: _contract_of(operation, model) for status, model in operation.response_models.items()}


def _contract_of(operation: Any, model: Any) -> Contract | None:
    fields = getattr(model, "model_fields", None)  # NOT_SET has none, and None is an empty response
    if fields is None:
        return None
    declared = fields["response"].annotation
    arguments, origin = get_args(declared), get_origin(declared)
    is_collection = isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, dict)
    return Contract(operation, arguments[0] if arguments and is_collection else declared)


class Contract:
    """What an item must be, and how it is serialized.

    Args:
        operation: of django-ninja.
        item: the type of an item.
    """

    def __init__(self, operation: Any, item: Any) -> None:
        self._view: str = operation.view_func.__qualname__
        self._item = item
        self._is_scalar = isinstance(item, type) and issubclass(item, (date, time, timedelta, UUID, Enum))
        self._adapter: Any = import_module("pydantic").TypeAdapter(item)
        self._options = {
            name: getattr(operation, name) for name in ("by_alias", "exclude_unset", "exclude_defaults", "exclude_none")
        }

    def hold(self, result: Any, context: dict[str, Any]) -> Any:
        """Return what a view returned, its items held to the contract.

        Args:
            result: what it returned.
            context: what the resolvers of a schema are given.

        Raises:
            TypeError: it is a Response, a run or a subscription, whose items cannot be seen.
        """
        if isinstance(result, (Response, RequestSource)):
            kind = type(cast("object", result)).__name__
            raise TypeError(
                f"{self._view}: response= is declared, which cannot be held for a {kind} that the operation returns;"
                " return or yield its items, with a format for @streaming, or declare no response"
            )
        is_sync, is_async = hasattr(result, "__iter__"), hasattr(result, "__aiter__")
        is_one = isinstance(result, (str, bytes, dict)) or hasattr(result.__class__, "model_fields")
        if is_one or not (is_sync or is_async):
            return self._serialized(result, 0, context)
        items = _EitherItems if is_sync and is_async else _AsyncItems if is_async else _SyncItems
        return items(result, partial(self._serialized, context=context))

    def _serialized(self, item: Any, index: int, context: dict[str, Any]) -> Any:
        if isinstance(item, ServerSentEvent):
            data = None if item.data is None else self._serialized(item.data, index, context)
            return ServerSentEvent(data, item.event, item.id, item.retry, item.comment)
        errors = import_module("pydantic_core")
        try:
            valid = self._adapter.validate_python(item, from_attributes=True, context=context)
        except errors.ValidationError as error:
            problems = [f"{'.'.join(map(str, found['loc'])) or 'item'}: {found['msg']}" for found in error.errors()]
            raise ChunkValueError(  # without a value of the item, which may be what the schema keeps from clients
                f"{self._view}: expected an item of {getattr(self._item, '__name__', self._item)}, got"
                f" {type(item).__name__}; {'; '.join(problems[:5])}",
                index=index,
            ) from None
        if self._is_scalar:
            return valid  # JSON, which has frames; its text would have none
        return self._adapter.dump_python(valid, mode="json", context=context, **self._options)


class _Items:
    """Items, each passed through the contract as it comes; closed with what they come from."""

    def __init__(self, items: Any, serialize: Callable[[Any, int], Any]) -> None:
        self._items = items
        self._serialize = serialize

    def close(self) -> Any:
        """Close what the items come from; of an async source, what it returns is awaited."""
        closer = getattr(self._items, "aclose", None) or getattr(self._items, "close", None)
        return None if closer is None else closer()


class _SyncItems(_Items):
    def __iter__(self) -> Iterator[Any]:
        for index, item in enumerate(self._items):
            yield self._serialize(item, index)


class _AsyncItems(_Items):
    async def __aiter__(self) -> AsyncIterator[Any]:
        index = 0
        async for item in self._items:
            yield self._serialize(item, index)
            index += 1


class _EitherItems(_SyncItems, _AsyncItems):
    """Items of a query set, which is read as the protocol likes."""
