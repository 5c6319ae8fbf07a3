"""For error messages: the name of a value that cannot be sent, and the remedy."""

from __future__ import annotations

from collections import UserList, deque
from collections.abc import Callable, Iterable, ValuesView
from functools import lru_cache
from types import NoneType, SimpleNamespace
from typing import Any, cast

__all__ = ["is_frame", "is_proxy", "is_series", "name_of", "remedy_for", "remedy_for_content"]


def name_of(cls: type[Any]) -> str:
    """Return the class's full name; that of a builtin has no module, and None's class is None."""
    if cls is NoneType:
        return "None"
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def remedy_for(value: object) -> str:
    """Return the remedy, as a suffix of the error message; "" if it is unknown."""
    cls = type(value)
    for applies, remedy in _REMEDIES:
        if applies(cls):
            return f"; {remedy}"
    return ""


def _of(module: str, *names: str) -> Callable[[type[Any]], bool]:
    """Return a test for classes of another library, by name: nothing is imported to look for them."""

    def applies(cls: type[Any]) -> bool:
        return any(
            base.__module__.partition(".")[0] == module and (not names or base.__name__ in names)
            for base in cls.__mro__
        )

    return applies


def _is_any(*classes: type[Any]) -> Callable[[type[Any]], bool]:
    return lambda cls: issubclass(cls, classes)


def _has(*names: str) -> Callable[[type[Any]], bool]:
    return lambda cls: all(hasattr(cls, name) for name in names)


def _speaks(cls: type[Any]) -> bool:
    """Return True if the class defines its own text form."""
    speaking = next(base for base in cls.__mro__ if "__str__" in vars(base))
    return cls.__module__ != "builtins" and speaking is not object


def is_proxy(cls: type[Any]) -> bool:
    """Return True if instances stand for others, whose class they name as their own: SimpleLazyObject, LocalProxy."""
    return any("__class__" in vars(base) for base in cls.__mro__ if base is not object)


_REMEDIES: Iterable[tuple[Callable[[type[Any]], bool], str]] = (
    (_is_any(NoneType), "leave the chunk out, or yield b''"),
    (is_proxy, "it stands for another value: write str(value), dict(value) or the like of that"),
    (lambda cls: "ServerSentEvent" in cls.__name__, "send events by sa.sse(…)"),
    (
        _has("sse_part"),  # an item of a broker's
        "a run or a subscription goes by sse, ndjson, json_seq or json_array; or iterate it, and send each event.data",
    ),
    (_has("__anext__"), 'did you mean "async for chunk in …: yield chunk"?'),
    (_has("__aiter__", "__iter__"), 'did you mean "yield from", or "async for chunk in …: yield chunk"?'),
    (_has("__aiter__"), 'did you mean "async for chunk in …: yield chunk"?'),
    (_has("__await__"), 'did you mean "yield await"?'),
    (_has("__next__"), 'did you mean "yield from"?'),
    (_of("pandas", "DataFrame"), 'stream its rows: value.to_dict("records")'),
    (_of("pandas", "Series"), "stream its values: value.tolist(), or, of a row, write value.to_dict()"),
    (_of("pandas", "Index", "ExtensionArray"), "stream its values: value.tolist()"),
    (_of("pandas", "NaTType", "NAType"), "write None, or leave it out"),
    (_of("polars", "DataFrame"), "stream its rows: value.iter_rows(named=True)"),
    (_of("polars", "LazyFrame"), "stream its rows: value.collect().iter_rows(named=True)"),
    (_of("polars", "Series"), "stream its values: value.to_list()"),
    (_of("numpy", "ndarray"), "write value.tolist()"),
    (_of("numpy", "generic"), "write value.item()"),
    (_of("pyarrow", "Scalar"), "write value.as_py()"),
    (_of("pyarrow", "Buffer"), "write bytes(value)"),
    (_of("pyarrow", "Table", "RecordBatch", "Array", "ChunkedArray"), "stream its rows: value.to_pylist()"),
    (_of("django", "Model"), "stream queryset.values()"),
    (_of("peewee", "Model"), "stream query.dicts()"),
    (_of("tortoise", "Model"), "stream queryset.values()"),
    (_of("array", "array"), "write value.tolist()"),
    (_has("__fields__", "__config__", "dict"), "write value.dict()"),  # Pydantic's first version
    (_has("__mapper__", "metadata"), "select its columns, whose rows are taken"),
    (_is_any(bytes, bytearray, memoryview), "write value.decode() or base64"),
    (_has("__buffer__"), "write bytes(value)"),
    (_is_any(set, frozenset), "write sorted(value), or list(value)"),
    (_is_any(UserList, deque, range, ValuesView), "write list(value)"),
    (_is_any(SimpleNamespace), "write vars(value)"),
    (_speaks, "write str(value), if that is the text you mean"),
)

_CONTENT: Iterable[tuple[Callable[[type[Any]], bool], str]] = (
    (lambda cls: "ServerSentEvent" in cls.__name__, "send it by sa.sse([event])"),
    (_of("pathlib", "PurePath"), "send the file by sa.file(path)"),
    (_of("asyncio", "Queue"), "write an async generator that yields what its get() returns"),
    (_has("get_nowait", "get"), "iterate it until an item that ends it: iter(queue.get, None)"),
    (_of("subprocess", "Popen"), "give its stdout"),
    (_of("asyncio", "Process"), "give its stdout"),
    (_of("socket", "socket"), 'give socket.makefile("rb")'),
    (_of("concurrent", "Future"), "give its result(), or asyncio.wrap_future(future)"),
    (_has("read"), "its read() takes no size: give what it returns, or an iterator of its parts"),
)


def remedy_for_content(content: object) -> str:
    """Return the remedy for what cannot be streamed, as a suffix of the error message; "" if it is unknown."""
    cls = type(content)
    return next((f"; {remedy}" for applies, remedy in _CONTENT if applies(cls)), "")


_FRAMES = (
    _of("pandas", "DataFrame"),
    _of("polars", "DataFrame", "LazyFrame"),
    _of("numpy", "ndarray"),
    _of("pyarrow", "Table", "RecordBatch"),
)

_SERIES = (_of("pandas", "Series", "Index", "ExtensionArray"), _of("polars", "Series"))


def _is_frame(cls: type[Any]) -> bool:
    """Return True for tables whose iteration does not yield their rows."""
    return any(applies(cls) for applies in _FRAMES)


# asked of each request's source
is_frame: Callable[[type[Any]], bool] = cast("Callable[[type[Any]], bool]", lru_cache(maxsize=256)(_is_frame))


def is_series(cls: type[Any]) -> bool:
    """Return True for a column of a frame, or a row of pandas: its values by position, whose names would be lost."""
    return any(applies(cls) for applies in _SERIES)
