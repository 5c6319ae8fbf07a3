"""Whether an application streams and whether it closes, observed by a client: for applications of any framework.

How `assert_streams` decides: a body that is collected before it is sent waits before its first chunk; a body that is
streamed waits between its chunks. So an application streams if the client waits longer for the rest than it did for the
first chunk. A client cannot observe whether the body of a source that never waits was collected. `release=` makes the
assertion exact: the test holds the source after its first item, so a chunk before the release was streamed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, cast

from stream_adapter.types import ASGIApp, WSGIApp

from ._clients import async_stream_client, stream_client
from ._exchange import EXCHANGE
from ._httpx import READ_TIMEOUT, AnyAsyncClient, AnyClient, AnyResponse, is_async_client, is_client
from ._leaks import LeakCheck
from ._reading import Reading

__all__ = ["aassert_closes", "aassert_streams", "assert_closes", "assert_streams"]

_SETTLE = 0.05  # seconds that a source gets after its first chunk, before its client disconnects
_LEAST = 0.01  # seconds to wait for the rest, at least


def assert_streams(
    app: WSGIApp | ASGIApp | AnyClient,
    path: str,
    *,
    within: float = 5.0,
    release: Callable[[], object] | None = None,
    method: str = "GET",
    **request: Any,
) -> None:
    """Assert that the first chunk of a response arrives before its source continues.

    This works for a source that is endless or waits between its items: the client must wait longer for the rest than
    for the first chunk. For an event stream, the first chunk is the first with an event. With `release` the test holds
    the source, and the assertion is exact.

    Args:
        app: a WSGI or an ASGI application, or a client of `stream_client`.
        path: of the request.
        within: seconds within which the first chunk must arrive and, after the release, the next one.
        release: continues a source that waits after its first item.
        method: of the request.
        **request: further arguments of the client's `stream`: headers, json, …

    Raises:
        AssertionError: it does not stream, that cannot be decided, or the status is an error. The message shows what
            arrived, and when.
    """
    for is_last in (False, True):  # the second time nothing is imported or connected any more
        with _client_of(app, close_timeout=within) as client:
            observed = _Observation(within, release, method, path)
            with observed.expect_start(), client.stream(method, path, timeout=within, **request) as response:
                observed.start(response)
                while observed.is_undecided:
                    try:
                        observed.add(observed.reading.poll(observed.timeout))
                    except TimeoutError:
                        observed.add_silence()
            if observed.streams or is_last or release is not None:
                observed.check()
                return


async def aassert_streams(
    app: ASGIApp | AnyAsyncClient,
    path: str,
    *,
    within: float = 5.0,
    release: Callable[[], object] | None = None,
    method: str = "GET",
    **request: Any,
) -> None:
    """Assert what `assert_streams` does, with the same arguments, on the loop of an async test.

    The application is an ASGI application, or a client of `async_stream_client`.

    Raises:
        AssertionError: as for `assert_streams`.
    """
    for is_last in (False, True):
        async with _aclient_of(app, close_timeout=within) as client:
            observed = _Observation(within, release, method, path)
            with observed.expect_start():
                async with client.stream(method, path, timeout=within, **request) as response:
                    observed.start(response)
                    while observed.is_undecided:
                        try:
                            observed.add(await observed.reading.apoll(observed.timeout))
                        except TimeoutError:
                            observed.add_silence()
            if observed.streams or is_last or release is not None:
                observed.check()
                return


def assert_closes(
    app: WSGIApp | ASGIApp | AnyClient, path: str, *, within: float = 5.0, method: str = "GET", **request: Any
) -> None:
    """Assert that a client that disconnects during a response closes its source.

    The client reads the first chunk and disconnects. Then the application must return within `within`, without a
    suspended generator, wherever it is referred to, and without a live stream of stream_adapter. The garbage collector
    is off until then.

    Args:
        app: a WSGI or an ASGI application, or a client of `stream_client`.
        path: of the request.
        within: seconds within which the first chunk must arrive, and within which the application must return.
        method: of the request.
        **request: further arguments of the client's `stream`: headers, json, …

    Raises:
        AssertionError: something is not closed, the application continues, or the response ended before the disconnect.
    """
    with _client_of(app, close_timeout=within) as client, LeakCheck() as before:
        observed = _Observation(within, None, method, path)
        with observed.expect_start(), client.stream(method, path, timeout=within, **request) as response:
            observed.start(response)
            while observed.first is None:
                observed.add(observed.reading.next(within))
            with suppress(TimeoutError):
                observed.add(observed.reading.poll(_SETTLE))
            observed.check_unfinished()
        observed.check_nothing_left(before)


async def aassert_closes(
    app: ASGIApp | AnyAsyncClient, path: str, *, within: float = 5.0, method: str = "GET", **request: Any
) -> None:
    """Assert what `assert_closes` does, with the same arguments, on the loop of an async test.

    The application is an ASGI application, or a client of `async_stream_client`.

    Raises:
        AssertionError: as for `assert_closes`.
    """
    async with _aclient_of(app, close_timeout=within) as client:
        with LeakCheck() as before:
            observed = _Observation(within, None, method, path)
            with observed.expect_start():
                async with client.stream(method, path, timeout=within, **request) as response:
                    observed.start(response)
                    while observed.first is None:
                        observed.add(await observed.reading.anext(within))
                    with suppress(TimeoutError):
                        observed.add(await observed.reading.apoll(_SETTLE))
                    observed.check_unfinished()
            observed.check_nothing_left(before)


class _Observation:
    """What was observed of one response, and what follows from it. It does no I/O.

    Attributes:
        first: seconds from the request to the first chunk; None until it arrives.
        streams: whether the response was observed to stream.
    """

    def __init__(self, within: float, release: Callable[[], object] | None, method: str, path: str) -> None:
        self._within = within
        self._release = release
        self._line = f"{method} {path}"
        self._asked = time.monotonic()
        self._ended = False
        self._rest = 0.0
        self.first: float | None = None
        self.streams = False

    @contextmanager
    def expect_start(self) -> Generator[None]:
        """Turn a read timeout before the start of the response into an AssertionError."""
        try:
            yield
        except READ_TIMEOUT as error:
            message = f"{self._line}: expected the first chunk within {self._within} s, but no status arrived"
            raise AssertionError("\n".join([message, *getattr(error, "__notes__", ())])) from None

    def start(self, response: AnyResponse) -> None:
        """Start with a response."""
        self.reading = Reading.of(response)
        kind: str = response.headers.get("content-type", "")
        self._events = kind.startswith("text/event-stream")

    @property
    def is_undecided(self) -> bool:
        """Whether neither streaming nor the end was observed yet."""
        return not (self.streams or self._ended)

    @property
    def timeout(self) -> float:
        """Seconds to wait for the next chunk."""
        if self.first is None or self._release is not None:
            return self._within
        return max(0.0, self._enough - self._waited)

    def add(self, chunk: bytes | None) -> None:
        """Add a chunk, or None for the end."""
        if self.first is not None:
            self.streams = self._release is not None or self._waited >= self._enough
            self._ended, self._rest = chunk is None, self._waited
        elif chunk is None:
            raise self.reading.failure(f"{'an event' if self._events else 'a chunk'}", "the response ended")
        elif not self._events or _has_event(chunk):
            self.first = time.monotonic() - self._asked
            if self._release is not None:
                self._release()

    def add_silence(self) -> None:
        """Handle that no chunk has arrived in time."""
        if self.first is None:
            raise self.reading.failure(f"the first chunk within {self._within} s", "nothing came")
        if self._release is not None:
            raise self.reading.failure(f"more within {self._within} s of the release", "nothing more came")
        self.streams = True

    def check(self) -> None:
        """Raise AssertionError unless it streams."""
        response = self.reading.response
        if not response.is_success:  # however long it took: a busy machine alone makes a client wait for the rest
            raise self.reading.failure("a stream", f"the status was {response.status_code} {response.reason_phrase}")
        if not self.streams:
            raise self.reading.failure(
                "the first chunk before the source continues",
                f"everything arrived at once: the first chunk {self.first:.3f} s after the request, the rest within "
                f"{self._rest:.3f} s of it. The body was collected before it was sent, or its source never waits, "
                "which looks equal: make it wait between two items, or hold it and pass release=",
            )

    def check_unfinished(self) -> None:
        """Raise AssertionError if the response is over, so that a disconnect has no effect."""
        exchange = self.reading.response.extensions.get(EXCHANGE)
        if exchange is None or self._ended or exchange.complete:
            what = "the response was over" if exchange is not None else "the client is not from the testing kit"
            raise self.reading.failure("an open response when the client disconnects, which closes the source", what)

    def check_nothing_left(self, before: LeakCheck) -> None:
        """Raise AssertionError if something of the request is not closed."""
        unfinished: AssertionError | None = self.reading.response.extensions[EXCHANGE].unfinished
        if unfinished is not None:  # httpx2 closes a response when a read times out, which hides this error then
            raise unfinished
        leaks = before.leaks()
        if leaks:
            found = "\n".join(f"  {line}" for line in leaks)
            raise self.reading.failure("the source closed after the disconnect", f"this is not closed:\n{found}")

    @property
    def _enough(self) -> float:
        return max(_LEAST, self.first or 0.0)

    @property
    def _waited(self) -> float:
        """Seconds since the first chunk."""
        return time.monotonic() - self._asked - (self.first or 0.0)


def _has_event(chunk: bytes) -> bool:
    """Return True if a chunk has more than comments and `retry`, which are sent without the source."""
    return any(line and not line.startswith((b":", b"retry:")) for line in chunk.splitlines())


@contextmanager
def _client_of(app: WSGIApp | ASGIApp | AnyClient, **options: Any) -> Generator[Any]:
    if is_client(app):
        yield app
    else:
        with stream_client(cast("WSGIApp | ASGIApp", app), **options) as client:
            yield client


@asynccontextmanager
async def _aclient_of(app: ASGIApp | AnyAsyncClient, **options: Any) -> AsyncGenerator[Any]:
    if is_async_client(app):
        yield app
    else:
        async with async_stream_client(cast("ASGIApp", app), **options) as client:
            yield client
