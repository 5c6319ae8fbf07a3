"""A route's output contract, held for each item of its stream as FastAPI holds it for what a view returns.

The contract is the route's `response_model`, or else the view's return annotation, with the route's
`response_model_include`, `_exclude`, `_by_alias`, `_exclude_unset`, `_exclude_defaults` and `_exclude_none`. An item is
validated by it, and what is sent is its serialization: fields that the model does not have are not in it. Options alone
leave out of any item what they name. So the contract stands between the source and the format, whichever that is.

Of a run or a subscription the data of each event is held to it, once more for each listener.

What it does not touch: bytes and text under a media type that the view names (they are framed already, and FastAPI does
not look into what a `response_class` of one's own streams), files, and what `on_error` returns.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from stream_adapter.formats import SSE, Auto, Format
from stream_adapter.integration import (
    ChunkTable,
    Encode,
    Ending,
    FormatEncoder,
    Published,
    event_of,
    is_event,
    kind_of,
)
from stream_adapter.types import Scope

from ._compat import (
    APIRoute,
    ResponseValidationError,
    answers_for_view,
    call_of,
    declared_model,
    get_typed_return_annotation,
)
from ._items import class_of, is_container, item_of
from ._marks import name_of, view_of

__all__ = ["Contract", "ItemValidationError", "contract_of"]

logger = logging.getLogger("stream_adapter")

_KEY = "stream_adapter_contract"  # among a route's attributes
_OPTIONS = ("include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none")


class ItemValidationError(ChunkValueError, ResponseValidationError):
    """An item does not fit the route's contract. It is FastAPI's error too, so its handlers apply.

    The text has no value of the item: it may be what the model keeps from the client, and is logged.
    """

    def __init__(self, problem: str, errors: list[Any], item: object) -> None:
        ChunkValueError.__init__(self, problem)  # from Python 3.14 on, it calls the other one, with the text
        ResponseValidationError.__init__(self, errors, body=item)
        self.args = (problem,)
        self._problem = problem

    def __str__(self) -> str:
        return self._problem if self.index is None else f"chunk {self.index}: {self._problem}"


@dataclass(frozen=True, slots=True)
class Contract:
    """What an item must be, and how it is serialized.

    Attributes:
        view: the name of the view, for errors.
        item: the type of an item.
        cls: its class, or one that stands for it where the first item decides the format.
        is_chunks: whether items are text or bytes, which are chunks of a body rather than data.
        validate: return an item as the model has it.
        dump: serialize what was validated: dict, list, text, number, bool or None.
    """

    view: str
    item: Any
    cls: type[Any] | None
    is_chunks: bool
    validate: Callable[[Any], Any]
    dump: Callable[[Any], Any]

    @classmethod
    def of(cls, item: Any, view: str, options: Mapping[str, Any]) -> Contract | None:
        """Make the contract for items of a type; None if Pydantic knows no schema for it, as for attrs classes."""
        try:
            adapter = TypeAdapter[Any](item)
            validate, dump = adapter.validator.validate_python, adapter.serializer.to_python
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            logger.warning("%s: items are sent as they are, for Pydantic cannot check %s: %s", view, item, error)
            return None
        stands_for = class_of(item)
        return cls(
            view=view,
            item=item,
            cls=stands_for,
            is_chunks=item is str or item is Any or (stands_for is not None and kind_of(stands_for) == "bytes"),
            validate=partial(validate, from_attributes=True),
            dump=partial(dump, mode="json", **options),
        )

    def check(self, item: Any) -> Any:
        """Return an item as the model has it.

        Raises:
            ItemValidationError: it does not fit.
        """
        try:
            return self.validate(item)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            expected = getattr(self.item, "__name__", str(self.item))
            problems = "; ".join(f"{_path(found['loc'])}{found['msg']}" for found in errors[:5])
            raise ItemValidationError(
                f"{self.view}: expected an item of {expected}, got {type(item).__name__}; {problems}", errors, item
            ) from None

    def encoder(self, inner: FormatEncoder) -> FormatEncoder:
        """Return the encoder that holds the items of a stream to this contract."""
        return _ContractEncoder(self, inner)


def _is_text(checked: object) -> bool:
    """Return True for what the chunk table takes for text, too, rather than for JSON."""
    return kind_of(type(checked)) == "text"


def _path(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""


class _ContractEncoder(FormatEncoder):
    """Checks and serializes items, and has them encoded by the encoder of the format."""

    __slots__ = ("_contract", "_inner", "_is_named")

    def __init__(self, contract: Contract, inner: FormatEncoder) -> None:
        super().__init__(inner.format, ChunkTable(self._function))
        self._contract = contract
        self._inner = inner
        self._is_named = not isinstance(inner.format, Auto)

    def _function(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded."""
        contract, inner = self._contract, self._inner
        encode: Encode
        if is_event(cls):
            encode = self._encode_event
            inner.table[sa.ServerSentEvent]
        elif issubclass(cls, Published):  # of a run, or a subscription
            encode = self._encode_published
            inner.table[cls]
        elif issubclass(cls, Ending):
            encode = inner.table[cls]
        else:
            if isinstance(inner.format, Auto):  # the first item decides, by what it is to the model
                inner.table[contract.cls or cls]
            encode = inner.table[cls] if self._passes(cls, inner.format) else self._encoder_of_items(inner.format)
        self.format: Format = inner.format
        return encode

    def _passes(self, cls: type[Any], format: Format) -> bool:
        """Return True for chunks of a body: bytes and text, unless a format makes items of them."""
        is_chunk = not format.frames and kind_of(cls) in {"bytes", "text"}
        return is_chunk and (self._is_named or self._contract.is_chunks)

    def _encoder_of_items(self, format: Format) -> Encode:
        check, dump, table = self._contract.check, self._contract.dump, self._inner.table
        if format.frames and not isinstance(format, SSE):
            return lambda item: table[type(value := dump(check(item)))](value)
        as_json = table[dict]  # text here is JSON only if the item is not text to its model

        def encode(item: Any) -> bytes:
            checked = check(item)
            value = dump(checked)
            if type(value) is not str or _is_text(checked):
                return table[type(value)](value)
            is_number = isinstance(checked, Decimal) and value == str(checked) and not isinstance(format, SSE)
            return table[type(checked)](checked) if is_number else as_json(value)

        return encode

    def _encode_event(self, item: Any) -> bytes:
        event = item if isinstance(item, sa.ServerSentEvent) else event_of(item)
        if event.data is not None:
            checked = self._contract.check(event.data)
            data = self._contract.dump(checked)
            if type(data) is str and not _is_text(checked):
                data = json.dumps(data, ensure_ascii=False)
            event = sa.ServerSentEvent(data, event.event, event.id, event.retry, event.comment)
        return self._inner.table[sa.ServerSentEvent](event)

    def _encode_published(self, item: Any) -> bytes:
        held = item.with_data(self._held)
        return self._inner.table[type(held)](held)

    def _held(self, data: Any) -> Any:
        return self._contract.dump(self._contract.check(data))

    def expect_only(self, cls: type) -> None:
        """Expect one item only, of type `cls`."""
        self._inner.expect_only(self._contract.cls or cls)
        self.format = self._inner.format

    def settle(self) -> Format:
        """Return the format that the headers announce."""
        self.format = self._inner.settle()
        return self.format

    def explain(self, error: BaseException, item: object, index: int | None = None) -> BaseException:
        """Return an error that says which item could not be encoded, and why."""
        return self._inner.explain(error, item, index)

    def encode_error(self, record: object) -> bytes:
        """Encode what `on_error` returned, which is not an item of the source."""
        return self._inner.encode_error(record)

    def finish(self) -> bytes:
        """Return what follows the last item of a stream that is complete."""
        return self._inner.finish()


def contract_of(scope: Scope) -> Contract | None:
    """Return the contract of the route that a request was matched to; None if it has none, as Starlette's have.

    It is the view's: the stream of an exception handler, or of a middleware, is not held to it. Call it before anything
    is awaited.
    """
    route = scope.get("route")
    if not isinstance(route, APIRoute):
        return None
    known = vars(route)
    if _KEY not in known:
        known[_KEY] = _make_contract(route)
    contract: Contract | None = known[_KEY]
    return None if contract is None or answers_for_view() else contract


def _make_contract(route: APIRoute) -> Contract | None:
    view = view_of(route.endpoint)
    declared = declared_model(route)
    is_off = declared is None and _is_switched_off(route)
    if declared is None and not is_off:
        declared = get_typed_return_annotation(view)
    item = item_of(declared)
    options = {name: getattr(route, f"response_model_{name}") for name in _OPTIONS}
    if is_container(declared):  # what FastAPI is given for the elements of a list
        for name in ("include", "exclude"):
            if isinstance(options[name], dict):
                options[name] = options[name].get("__all__", options[name])
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if item is None:
        if given.keys() <= {"by_alias"} or is_off:
            return None
        item = Any  # nothing is said of items but what is left out of them
    return Contract.of(item, name_of(view), {"by_alias": False, **given})


def _is_switched_off(route: APIRoute) -> bool:
    """Return True if `response_model=None` was given: FastAPI saw a type in the annotation, and made no model of it."""
    call = call_of(route)
    seen = None if call is None else get_typed_return_annotation(call)
    return seen is not None and not (isinstance(seen, type) and issubclass(seen, Response))
