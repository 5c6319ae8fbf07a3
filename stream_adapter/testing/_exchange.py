"""What the two transports share: their options, and one request with the application's response to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from stream_adapter._status import is_bodiless

from ._httpx import AnyRequest, library_of

__all__ = ["CLOSE_TIMEOUT", "EXCHANGE", "Exchange", "StreamTransport", "fail", "read_timeout"]

CLOSE_TIMEOUT = 5.0  # seconds that an application has to return
EXCHANGE = "stream_adapter.exchange"  # the extension of a response that holds its Exchange
_CLIENT = ("127.0.0.1", 50000)

App = TypeVar("App")
ExchangeT = TypeVar("ExchangeT", bound="Exchange")


class StreamTransport(Generic[App, ExchangeT]):
    """A client's way to an application in this process: its options, and the exchanges that are open."""

    def __init__(
        self,
        app: App,
        *,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = _CLIENT,
        close_timeout: float | None = CLOSE_TIMEOUT,
    ) -> None:
        """Create a transport.

        Args:
            app: the application.
            raise_app_exceptions: whether an exception of the application is raised where the test waits for the
                response or reads it. Otherwise the client sees what a server would send: a 500 or, after the start of
                the response, a `RemoteProtocolError`.
            root_path: where the application is mounted.
            client: the client's address and port.
            close_timeout: seconds in which the application must return once the client has disconnected or the response
                is complete. If it does not, closing the response raises an AssertionError that names the line where the
                application waits; an ASGI application is then cancelled. None: closing the transport waits for the
                application, closing the response does not.
        """
        self._app = app
        self._raise = raise_app_exceptions
        self._root_path = root_path
        self._client = client
        self._close_timeout = close_timeout
        self._open: set[ExchangeT] = set()

    @property
    def _final_timeout(self) -> float:
        """Seconds in which an application must return once the transport closes."""
        return CLOSE_TIMEOUT if self._close_timeout is None else self._close_timeout


class Exchange:
    """One request, and the application's response to it.

    Args:
        request: the client's.
        close_timeout: seconds in which the application must return; see StreamTransport.
        raises: whether an exception of the application is raised in the test.

    Attributes:
        unfinished: the error of an application that had not returned `close_timeout` seconds after its client left.
    """

    def __init__(self, request: AnyRequest, close_timeout: float | None, *, raises: bool) -> None:
        self._request = request
        self._close_timeout = close_timeout
        self._raises = raises
        self._error: BaseException | None = None  # raised by the application, and not yet in the test
        self._complete = False  # the application has sent the end of its response
        self.unfinished: AssertionError | None = None

    @property
    def complete(self) -> bool:
        """Whether the client has read the whole body."""
        raise NotImplementedError

    def _check_complete(self) -> None:
        """Raise the error that ended the body early, if it did."""
        if not self.complete:
            self._raise_error()
            raise self._broken()

    def _without_body(self, status: int) -> bool:
        """Return True if a server does not send the body of such a response (RFC 9110, 6.4.1)."""
        return self._request.method == "HEAD" or is_bodiless(status)

    def _response(self, status: int, headers: Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]) -> Any:
        """Return the response, of the client's library; its body is read from this exchange."""
        extensions = {"http_version": b"HTTP/1.1", EXCHANGE: self}
        return library_of(self._request).Response(status, headers=headers, stream=self, extensions=extensions)

    def _server_error(self) -> Any:
        """Return what a server sends for an application that failed before its response started."""
        return library_of(self._request).Response(HTTPStatus.INTERNAL_SERVER_ERROR, text="Internal Server Error")

    def _broken(self) -> Exception:
        """Return the client's error for a connection that ends before the response does."""
        error: Exception = library_of(self._request).RemoteProtocolError(
            "peer closed connection without sending complete message body (incomplete chunked read)",
            request=self._request,
        )
        return error

    def _timed_out(self, seconds: float | None, since: float) -> Exception:
        """Return the client's read timeout; `since` is when it began to wait, on the monotonic clock."""
        waited = time.monotonic() - since
        error: Exception = library_of(self._request).ReadTimeout(
            f"nothing came within {seconds} s ({waited:.3f} s were waited)", request=self._request
        )
        return error

    def _fail_unfinished(self, seconds: float, location: str) -> None:
        """Fail the test, because the application has not returned."""
        event = "the end of its response" if self._complete else "the client left"
        self.unfinished = AssertionError(
            f"{self._request.method} {self._request.url.raw_path.decode('ascii')}: the application was still running "
            f"{seconds} s after {event}. {location}"
        )
        fail(self.unfinished)

    def _raise_error(self) -> None:
        """Raise what ended the application, once, if the transport raises exceptions of the application."""
        error, self._error = self._error, None
        if error is not None and self._raises:
            fail(error)


def read_timeout(request: AnyRequest) -> float | None:
    """Return the seconds that a read may take. Call it for each read, because the test can change the timeout."""
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("read")


def fail(error: BaseException) -> None:
    """Raise an error. If another one is being handled, add this one to it as a note, so that it is not hidden."""
    handled = sys.exc_info()[1]
    if handled is None:
        raise error
    handled.add_note(str(error) if isinstance(error, AssertionError) else repr(error))
