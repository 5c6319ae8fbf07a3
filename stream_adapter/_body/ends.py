"""How a stream ends that was told to: by a broken connection, as the OSError that a server takes for one."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from types import MappingProxyType

from stream_adapter.errors import RefusalError, StreamTimeoutError
from stream_adapter.types import Reason

__all__ = [
    "CLIENT_CLOSED_REQUEST",
    "BodyNotWanted",
    "ClientDisconnected",
    "ShuttingDown",
    "StreamAborted",
    "chain_of",
    "disconnect_error",
    "follows_from_the_end",
]


CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left before its response; RFC 9110 has none


class StreamAborted(ConnectionAbortedError):  # noqa: N818  # no error of anybody
    """The stream was told to end: its connection must break, for a polite end would say that it is complete."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(errno.ECONNABORTED, f"the stream was ended: {reason}")


class ClientDisconnected(ConnectionResetError):  # noqa: N818  # no error of anybody
    """The client has gone. Servers know this errno, and log nothing."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client disconnected")


_known_as: dict[type[Exception], type[ClientDisconnected]] = {}


def disconnect_error(known: type[Exception] | None) -> ClientDisconnected:
    """Return what is raised where the client has gone; it is the server's own exception for that as well."""
    if known is None:
        return ClientDisconnected()
    if known not in _known_as:
        namespace = {"__module__": ClientDisconnected.__module__}
        _known_as[known] = type(ClientDisconnected.__name__, (ClientDisconnected, known), namespace)
    return _known_as[known]()


class ShuttingDown(RefusalError):  # noqa: N818  # as its answer is named
    """The process is drained, and the stream had no item yet: 503, so that the client asks again elsewhere."""

    status_code = 503
    headers = MappingProxyType({"Retry-After": "1"})

    def __init__(self) -> None:
        super().__init__("the process shuts down")


class BodyNotWanted(ClientDisconnected):
    """The response is complete without a body. To an application that goes on sending one, it is a disconnect."""

    def __str__(self) -> str:
        return "the body is not wanted: the response to a HEAD request, and one of status 1xx, 204 or 304, has none"


def follows_from_the_end(error: BaseException) -> bool:
    """Return True if an application raised it because its stream was over, which its `send` or `write` reported."""
    return any(isinstance(link, (ClientDisconnected, StreamAborted, StreamTimeoutError)) for link in chain_of(error))


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what led to it, once each: an exception can be its own cause."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        yield link
        link = link.__cause__ or link.__context__
