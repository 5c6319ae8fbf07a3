"""Class → conversion of its instances to a value that orjson encodes, or that is one step closer to one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from ._records import reader_of
from ._remedies import is_proxy, name_of, remedy_for
from ._text import is_text
from .errors import ChunkEncodingError, ChunkValueError

__all__ = ["STAND_INS", "not_finite"]

_Convert: TypeAlias = Callable[[Any], object]

_MINUTES = frozenset({19, 25, 26, 32})  # how long a moment is whose offset, if any, has whole minutes
_MOST = 1024  # classes that are remembered
_MICROSECOND = timedelta(microseconds=1)


def _stand_in_of(cls: type[Any]) -> _Convert:  # noqa: C901, PLR0911  # a table, in order
    """Return the conversion of instances to a value that orjson encodes, or that is one step closer to one."""
    if issubclass(cls, Enum):
        return _member_value
    if is_proxy(cls):
        return _of_proxy
    if is_text(cls):
        return str.__str__ if issubclass(cls, str) else str
    if issubclass(cls, datetime):
        return _moment if cls is datetime else _moment_of_pandas if hasattr(cls, "nanosecond") else _moment_of_a_zone
    if issubclass(cls, timedelta):
        return _duration_of_pandas if hasattr(cls, "nanoseconds") else _duration
    of_base = next((convert for base, convert in _BUILTINS if issubclass(cls, base)), None)
    if of_base is not None:
        return of_base
    if hasattr(cls, "__pydantic_serializer__"):
        to_json = cls.__pydantic_serializer__.to_json
        return lambda model: orjson.Fragment(_without_constants(to_json(model)))
    if hasattr(cls, "__struct_fields__"):
        encode = sys.modules["msgspec"].json.encode
        return lambda struct: orjson.Fragment(encode(struct))
    if issubclass(cls, getattr(sys.modules.get("msgspec"), "Raw", ())):
        return lambda raw: orjson.Fragment(bytes(raw))
    if read := reader_of(cls):
        return read
    if issubclass(cls, dict):
        return dict
    return list if issubclass(cls, (list, tuple, AbstractSet)) else _refuse


class _StandIns(dict[type[Any], _Convert]):
    """Class → conversion. It fills itself; a look-up takes half of the time of lru_cache."""

    def __missing__(self, cls: type[Any]) -> _Convert:
        if len(self) >= _MOST:
            self.clear()  # of classes that are made for one value each
        convert = self[cls] = _stand_in_of(cls)
        return convert


STAND_INS: Mapping[type[Any], _Convert] = _StandIns()


def _refuse(value: object) -> object:
    raise ChunkEncodingError(f"expected a JSON value, got {name_of(type(value))}{remedy_for(value)}")


def _of_proxy(proxy: Any) -> object:
    """Read what a proxy of a record or a list stands for; how another is meant, only its user can know."""
    cls: type[Any] = proxy.__class__
    if not issubclass(cls, (Mapping, list, tuple)) and reader_of(cls) is None:
        return _refuse(proxy)
    return STAND_INS[cls](proxy)


def _member_value(member: Enum) -> object:
    return member.value


def not_finite(number: object) -> ChunkValueError:
    return ChunkValueError(f"expected a finite number, got {number}; JSON has no NaN and no infinities")


def _exact(number: Decimal) -> orjson.Fragment:
    """Return a number with all its digits: JSON does not bound them."""
    if not number.is_finite():
        raise not_finite(number)
    return orjson.Fragment(Decimal.__str__(number))


def _moment(moment: datetime) -> object:
    """Write it as RFC 3339 does, whose offsets have no seconds: a moment that has them is written in UTC."""
    zone = moment.tzinfo
    if zone is None or zone is UTC:  # most are, and orjson writes these as they are, in a third of the time
        return orjson.Fragment(orjson.dumps(moment))
    return _moment_of_a_zone(moment)


def _moment_of_a_zone(moment: datetime) -> str:
    text = datetime.isoformat(moment)
    return text if len(text) in _MINUTES else datetime.isoformat(moment.astimezone(UTC))


def _time(of_day: time) -> str:
    text = time.isoformat(of_day)
    if len(text.partition("+")[2] or text.partition("-")[2]) > len("00:00"):
        raise ChunkValueError(f"expected a time whose UTC offset has whole minutes, got {text}")
    return text


def _duration(duration: timedelta, nanoseconds: int = 0) -> str:
    """Write it as Django's JSON encoder does (ISO 8601): `P1DT02H03M04.500000S`."""
    count = 1000 * timedelta.__floordiv__(duration, _MICROSECOND) + nanoseconds
    seconds, rest = divmod(abs(count), 1_000_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    fraction = f".{rest:09}" if rest % 1000 else f".{rest // 1000:06}" if rest else ""
    return f"{'-' if count < 0 else ''}P{days}DT{hours:02}H{minutes:02}M{seconds:02}{fraction}S"


# pandas' Timestamp and Timedelta hold more than the classes that they derive from: nanoseconds, and years and days out
# of range, where what the base class reads is another moment. NaT is a moment by its class alone, and equals nothing.


def _moment_of_pandas(moment: Any) -> object:
    if moment != moment:  # noqa: PLR0124  # how a NaN is known, too
        return _refuse(moment)
    if moment.year != datetime.year.__get__(moment):
        raise ChunkValueError(f"expected a moment in the years 1 to 9999, got {moment}")
    text = _moment_of_a_zone(moment)
    if not moment.nanosecond:
        return text
    zone = text[26 if moment.microsecond else 19 :]
    return f"{text[:19]}.{moment.microsecond:06}{moment.nanosecond:03}{zone}"


def _duration_of_pandas(duration: Any) -> object:
    if duration != duration:  # noqa: PLR0124
        return _refuse(duration)
    if duration.days != timedelta.days.__get__(duration):
        raise ChunkValueError(f"expected a duration of less than 1,000,000,000 days, got {duration}")
    return _duration(duration, duration.nanoseconds)


_BUILTINS: tuple[tuple[type, _Convert], ...] = (  # the first that a class derives from
    (int, int.__int__),
    (float, float.__float__),
    (Decimal, _exact),
    (date, date.isoformat),
    (time, _time),
    (UUID, UUID.__str__),
)


def _without_constants(encoded: bytes) -> bytes:
    """Return what a model wrote itself: Pydantic's `ser_json_inf_nan="constants"` is not JSON."""
    if encoded.partition(b"NaN")[1] or encoded.partition(b"Infinity")[1]:
        json.loads(encoded, parse_constant=_refuse_constant)
    return encoded


def _refuse_constant(name: str) -> None:
    raise not_finite(name)
