"""The items of a response: events of an event stream, rows of JSON lines, each within a time."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from stream_adapter._media_types import JSON_LINES, JSON_SEQ, without_parameters

from ._httpx import AnyResponse, AsyncByteStream, Event, SyncByteStream, aiter_events, iter_events, library_of
from ._reading import Reading

__all__ = ["Items", "events", "rows"]

T = TypeVar("T")

_ROW_TYPES = (*sorted(JSON_LINES), JSON_SEQ)


class Items(Generic[T]):
    """Items of a response, in a `for` or an `async for`, or one by one by `next` or `anext`.

    Args:
        response: which is being streamed.
        within: seconds within which each item must arrive.
        wanted: the name of an item in messages.
        parse: iterates the items of a response, for a sync client.
        aparse: iterates them for an async client.
    """

    def __init__(
        self,
        response: AnyResponse,
        within: float,
        wanted: str,
        parse: Callable[[AnyResponse], Iterator[T]],
        aparse: Callable[[AnyResponse], AsyncIterator[T]],
    ) -> None:
        self._chunks = _Chunks(Reading.of(response), f"{wanted} within {within:.3g} s")
        self._parse = parse
        self._aparse = aparse
        self._items: Iterator[T] | None = None
        self._aitems: AsyncIterator[T] | None = None
        self._within = within

    def __iter__(self) -> Iterator[T]:
        """Iterate by `next`."""
        return self

    def __next__(self) -> T:
        """Return the next item.

        Raises:
            AssertionError: it did not arrive in time. The message shows what arrived, and when.
        """
        if self._items is None:
            self._items = self._parse(self._chunks.response())
        self._chunks.bound(self._within)
        return next(self._items)

    def __aiter__(self) -> AsyncIterator[T]:
        """Iterate by `anext`."""
        return self

    async def __anext__(self) -> T:
        """Return the next item, as `next` does."""
        if self._aitems is None:
            self._aitems = self._aparse(self._chunks.response())
        self._chunks.bound(self._within)
        return await anext(self._aitems)


def events(response: AnyResponse, *, within: float = 5.0) -> Items[Event]:
    """Return the events of an event stream, as httpx2 reads them, or httpx-sse those of httpx.

    Comments and `retry` are not events. A second call for the same response returns the same iterator:
    `next(events(response))` twice gives two events.

    Args:
        response: of `client.stream`: for `for` and `next` if the client is sync, else for `async for` and `anext`.
        within: seconds within which each event must arrive; comments do not count.

    Raises:
        AssertionError: the response is not an event stream.
    """
    _check_type(response, ("text/event-stream",), "an event stream")
    return _once(response, Items(response, within, "an event", _iter_events, _aiter_events))


def rows(response: AnyResponse, *, within: float = 5.0) -> Items[Any]:
    """Return the values of a response of JSON lines (NDJSON) or a JSON text sequence (RFC 7464).

    A second call for the same response returns the same iterator.

    Args:
        response: of `client.stream`: for `for` and `next` if the client is sync, else for `async for` and `anext`.
        within: seconds within which each row must arrive.

    Raises:
        AssertionError: the response is neither.
        ValueError: a row is not JSON; raised when it is read.
    """
    _check_type(response, _ROW_TYPES, "rows of JSON")
    return _once(response, Items(response, within, "a row", _iter_rows, _aiter_rows))


class _Chunks(SyncByteStream, AsyncByteStream):
    """The chunks of a reading, as the body of a response that a parser reads."""

    def __init__(self, reading: Reading, expected: str) -> None:
        self._reading = reading
        self._expected = expected
        self._deadline = 0.0

    def response(self) -> Any:
        """Return a response with that body, which is decoded already."""
        original = self._reading.response
        headers = [(name, value) for name, value in original.headers.multi_items() if name != "content-encoding"]
        return library_of(original).Response(
            original.status_code, headers=headers, stream=self, request=original.request
        )

    def bound(self, within: float) -> None:
        """Set the deadline of the next item, in seconds from now."""
        self._deadline = time.monotonic() + within

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._reading.next(self._rest(), self._expected)) is not None:
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._reading.anext(self._rest(), self._expected)) is not None:
            yield chunk

    def _rest(self) -> float:
        rest = self._deadline - time.monotonic()
        if rest <= 0:
            raise self._reading.failure(self._expected, "none was among the chunks")
        return rest


def _once(response: AnyResponse, items: Items[T]) -> Items[T]:
    """Return the items of the first call for a response, so that they continue there."""
    first: Items[T] = response.extensions.setdefault("stream_adapter.items", items)
    return first


def _check_type(response: AnyResponse, allowed: tuple[str, ...], what: str) -> None:
    got = response.headers.get("content-type", "none")
    if without_parameters(got) not in allowed:
        raise Reading.of(response).failure(f"{what} ({' or '.join(allowed)})", f"the content type is {got}")


def _iter_events(response: AnyResponse) -> Iterator[Event]:
    return (event for event in iter_events(response) if _is_event(event))


async def _aiter_events(response: AnyResponse) -> AsyncIterator[Event]:
    async for event in aiter_events(response):
        if _is_event(event):
            yield event


def _is_event(event: Event) -> bool:
    """Return True if a browser dispatches it: not if it has only `retry` or an id (WHATWG, 9.2.6)."""
    return bool(event.data) or event.event != "message"


def _iter_rows(response: AnyResponse) -> Iterator[Any]:
    return (json.loads(line.lstrip("\x1e")) for line in response.iter_lines() if line)


async def _aiter_rows(response: AnyResponse) -> AsyncIterator[Any]:
    async for line in response.aiter_lines():
        if line:
            yield json.loads(line.lstrip("\x1e"))
