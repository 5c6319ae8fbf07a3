"""What both transports say and hear: when a response has no body, and how a connection fails, as the client says it."""

from __future__ import annotations

import sys
import time
from http import HTTPStatus
from typing import Any

from ._httpx import AnyRequest, library_of

__all__ = [
    "CLIENT",
    "CLOSE_TIMEOUT",
    "EXCHANGE",
    "broken",
    "fail",
    "read_timeout",
    "server_error",
    "silent_too_long",
    "still_running",
    "without_body",
]

CLOSE_TIMEOUT = 5.0  # seconds that an application has to return
EXCHANGE = "stream_adapter.exchange"  # the extension of a response by which it is known as the kit's
CLIENT = ("127.0.0.1", 50000)  # where requests seem to come from


def without_body(method: str, status: int) -> bool:
    """Say whether what an application sends as the body stays with the server (RFC 9110, 6.4.1)."""
    return method == "HEAD" or status < 200 or status in {204, 304}


def read_timeout(request: AnyRequest) -> float | None:
    """Return the seconds that a read may take; looked up at each, for a caller may change it meanwhile."""
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("read")


def silent_too_long(request: AnyRequest, seconds: float | None, since: float) -> Exception:
    """Return the error of a client that has waited in vain since `since`, on the monotonic clock."""
    waited = time.monotonic() - since
    timeout: Exception = library_of(request).ReadTimeout(
        f"nothing came within {seconds} s ({waited:.3f} s were waited)", request=request
    )
    return timeout


def broken(request: AnyRequest) -> Exception:
    """Return the error that a client sees where a connection ends before the response does."""
    error: Exception = library_of(request).RemoteProtocolError(
        "peer closed connection without sending complete message body (incomplete chunked read)", request=request
    )
    return error


def server_error(request: AnyRequest) -> Any:
    """Return what a server answers for an application that has failed before it began to."""
    return library_of(request).Response(HTTPStatus.INTERNAL_SERVER_ERROR, text="Internal Server Error")


def fail(error: BaseException) -> None:
    """Raise it, unless an error is on its way already: that one is not hidden, and is given this as a note."""
    under_way = sys.exc_info()[1]
    if under_way is None:
        raise error
    under_way.add_note(str(error) if isinstance(error, AssertionError) else repr(error))


def still_running(request: AnyRequest, seconds: float, *, complete: bool, where: str) -> AssertionError:
    """Return the error of an application that does not return."""
    event = "the end of its response" if complete else "the client left"
    return AssertionError(
        f"{request.method} {request.url.raw_path.decode('ascii')}: the application was still running "
        f"{seconds} s after {event}. {where}"
    )
