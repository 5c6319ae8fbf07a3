"""The HTTP client libraries that the kit works with: httpx2, and httpx, which it continues. One of them is enough.

Where both are installed, the kit's own clients are httpx2's, and its transports and helpers take requests and responses
of either: an answer is of the library that its request is of. So the classes that a library looks for with `isinstance`
derive from those of both.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

__all__ = [
    "READ_TIMEOUT",
    "TRANSPORT_ERROR",
    "AnyAsyncClient",
    "AnyClient",
    "AnyRequest",
    "AnyResponse",
    "AsyncByteStream",
    "AsyncTransport",
    "Event",
    "SyncByteStream",
    "SyncTransport",
    "aiter_events",
    "is_async_client",
    "is_client",
    "is_whole",
    "iter_events",
    "library",
    "library_of",
]

_NAMES = ("httpx2", "httpx")  # the first that is installed makes the kit's clients
_INSTALL = "stream_adapter.testing needs httpx2, or httpx: pip install 'stream-adapter[testing]'"


class Event(Protocol):
    """A server-sent event, as httpx2 and httpx-sse read it."""

    @property
    def event(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def retry(self) -> int | None: ...
    def json(self) -> Any: ...


def _installed() -> tuple[Any, ...]:
    found: list[ModuleType] = []
    for name in _NAMES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        if module not in found:  # `httpx2.alias_httpx()` makes the two one
            found.append(module)
    if not found:
        raise ModuleNotFoundError(_INSTALL, name=_NAMES[0])
    return tuple(found)


_LIBRARIES = _installed()
library: Any = _LIBRARIES[0]
"""The library that the kit's own clients are of."""

if TYPE_CHECKING:
    import httpx
    import httpx2

    # Any, where a message goes back to the library that it came from: its type is that library's
    AnyRequest: TypeAlias = Any
    AnyResponse: TypeAlias = httpx2.Response | httpx.Response
    AnyClient: TypeAlias = httpx2.Client | httpx.Client
    AnyAsyncClient: TypeAlias = httpx2.AsyncClient | httpx.AsyncClient

    class SyncByteStream(httpx2.SyncByteStream, httpx.SyncByteStream):
        """A body for a sync client."""

    class AsyncByteStream(httpx2.AsyncByteStream, httpx.AsyncByteStream):
        """A body for an async client."""

    class SyncTransport(httpx2.BaseTransport, httpx.BaseTransport):
        """What a sync client sends its requests by."""

        def handle_request(self, request: Any) -> Any: ...

    class AsyncTransport(httpx2.AsyncBaseTransport, httpx.AsyncBaseTransport):
        """What an async client sends its requests by."""

        async def handle_async_request(self, request: Any) -> Any: ...

else:
    AnyRequest = AnyResponse = AnyClient = AnyAsyncClient = object
    SyncByteStream = type("SyncByteStream", tuple(each.SyncByteStream for each in _LIBRARIES), {})
    AsyncByteStream = type("AsyncByteStream", tuple(each.AsyncByteStream for each in _LIBRARIES), {})
    SyncTransport = type("SyncTransport", tuple(each.BaseTransport for each in _LIBRARIES), {})
    AsyncTransport = type("AsyncTransport", tuple(each.AsyncBaseTransport for each in _LIBRARIES), {})

READ_TIMEOUT: tuple[type[Exception], ...] = tuple(each.ReadTimeout for each in _LIBRARIES)
TRANSPORT_ERROR: tuple[type[Exception], ...] = tuple(each.TransportError for each in _LIBRARIES)


def library_of(message: object) -> Any:
    """Return the library that a request or a response is of."""
    return next((each for each in _LIBRARIES if isinstance(message, (each.Request, each.Response))), library)


def is_client(value: object) -> bool:
    """Return True if `value` is a sync client of either library."""
    return any(isinstance(value, each.Client) for each in _LIBRARIES)


def is_async_client(value: object) -> bool:
    """Return True if `value` is an async client of either library."""
    return any(isinstance(value, each.AsyncClient) for each in _LIBRARIES)


def is_whole(body: object) -> bool:
    """Return True if a request's body is bytes in memory."""
    return any(isinstance(body, each.ByteStream) for each in _LIBRARIES)


def iter_events(response: Any) -> Iterator[Event]:
    """Iterate the events of a response: as httpx2 reads them, or httpx-sse if it is httpx's."""
    of = library_of(response)
    events: Iterator[Event] = (
        iter(of.EventSource(response)) if hasattr(of, "EventSource") else _httpx_sse(response).iter_sse()
    )
    return events


def aiter_events(response: Any) -> AsyncIterator[Event]:
    """Iterate the events of a response to an async client, as `iter_events` does."""
    of = library_of(response)
    events: AsyncIterator[Event] = (
        aiter(of.EventSource(response)) if hasattr(of, "EventSource") else _httpx_sse(response).aiter_sse()
    )
    return events


def _httpx_sse(response: Any) -> Any:
    try:
        module = importlib.import_module("httpx_sse")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "events(…) of a response of httpx needs httpx-sse: pip install httpx-sse, or use httpx2", name=error.name
        ) from error
    return module.EventSource(response)
