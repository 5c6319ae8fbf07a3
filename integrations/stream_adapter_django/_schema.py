"""The response schema of a django-ninja operation, held for each item of its stream.

django-ninja filters by it what an operation returns: fields that the schema does not have are not sent. So they are not
in a stream either. A `response=list[User]` is a stream of users, and so is `response=User`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from datetime import date, time, timedelta
from enum import Enum
from functools import partial
from importlib import import_module
from typing import Any, get_args, get_origin
from uuid import UUID

from stream_adapter import Response, ServerSentEvent
from stream_adapter.errors import ChunkValueError

__all__ = ["Contract", "contracts_of"]


def contracts_of(operation: Any) -> dict[Any, Contract | None]:
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
            TypeError: it is a Response, whose items cannot be seen.
        """
        if isinstance(result, Response):
            raise TypeError(
                f"{self._view}: response= is declared, which cannot be held for a Response that the operation returns;"
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
