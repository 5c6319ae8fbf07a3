"""Whether an application streams, and whether it closes: seen from outside, so it may be anybody's.

What `assert_streams` goes by. A body that is gathered before it is sent has all its waiting before its first chunk; one
that is streamed has it between its chunks. So an application streams if the client waits longer for the rest than it
did for the first chunk. That an endless source gives a first chunk at all is seen on the way. What cannot be seen from
outside is whether a source that never waits was gathered: it takes no time, either way. `release=` makes the proof
exact: the test holds the source after its first item, so whatever arrives before it lets go cannot have been gathered.
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

_SETTLE = 0.05  # seconds that a source has to go on after its first chunk, before its client leaves
_LEAST = 0.01  # seconds that the rest is waited for, whatever the first chunk took


def assert_streams(
    app: WSGIApp | ASGIApp | AnyClient,
    path: str,
    *,
    within: float = 5.0,
    release: Callable[[], object] | None = None,
    method: str = "GET",
    **request: Any,
) -> None:
    """Prove that the first chunk of a response arrives before its source goes on.

    A source that is endless, or that waits between its items, needs nothing else: the client must wait longer for the
    rest than for the first chunk. Of an event stream, the first chunk is the first that has an event. With `release`
    the source is held by the test, and the proof is exact.

    Args:
        app: a WSGI or an ASGI application, or a client of `stream_client`.
        path: what is asked for.
        within: seconds in which the first chunk is to come, and, once released, what follows.
        release: lets a source go on that waits after its first item.
        method: of the request.
        **request: more of it, as httpx2 takes it: headers, json, …

    Raises:
        AssertionError: it does not stream, it cannot be told, or the answer is an error. It tells what came, and when.
    """
    for is_last in (False, True):  # the second time it is warm: nothing is imported or connected to any more
        with _client_of(app, close_timeout=within) as client:
            judge = _Judge(within, release, method, path)
            with judge.judging_start(), client.stream(method, path, timeout=within, **request) as response:
                judge.see(response)
                while judge.wants_more:
                    try:
                        judge.take(judge.reading.poll(judge.patience))
                    except TimeoutError:
                        judge.take_silence()
            if judge.streams or is_last or release is not None:
                judge.check()
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
    """Prove what `assert_streams` does, on the loop of an async test.

    Args:
        app: an ASGI application, or a client of `async_stream_client`.
        path: what is asked for.
        within: seconds in which the first chunk is to come, and, once released, what follows.
        release: lets a source go on that waits after its first item.
        method: of the request.
        **request: more of it, as httpx2 takes it: headers, json, …

    Raises:
        AssertionError: it does not stream, it cannot be told, or the answer is an error. It tells what came, and when.
    """
    for is_last in (False, True):
        async with _aclient_of(app, close_timeout=within) as client:
            judge = _Judge(within, release, method, path)
            with judge.judging_start():
                async with client.stream(method, path, timeout=within, **request) as response:
                    judge.see(response)
                    while judge.wants_more:
                        try:
                            judge.take(await judge.reading.apoll(judge.patience))
                        except TimeoutError:
                            judge.take_silence()
            if judge.streams or is_last or release is not None:
                judge.check()
                return


def assert_closes(
    app: WSGIApp | ASGIApp | AnyClient, path: str, *, within: float = 5.0, method: str = "GET", **request: Any
) -> None:
    """Prove that a client that leaves in the middle of a response closes its source.

    The client reads the first chunk and leaves. Then the application must return within `within`, and leave nothing
    behind: no generator that stands in the middle, wherever it is referred to, and no live stream of stream_adapter.
    The garbage collector is not waited for.

    Args:
        app: a WSGI or an ASGI application, or a client of `stream_client`.
        path: what is asked for.
        within: seconds in which the first chunk is to come, and the application to return.
        method: of the request.
        **request: more of it, as httpx2 takes it: headers, json, …

    Raises:
        AssertionError: something is left, the application goes on, or the response was over before the client left.
    """
    with _client_of(app, close_timeout=within) as client, LeakCheck() as before:
        judge = _Judge(within, None, method, path)
        with judge.judging_start(), client.stream(method, path, timeout=within, **request) as response:
            judge.see(response)
            while judge.first is None:
                judge.take(judge.reading.next(within))
            with suppress(TimeoutError):
                judge.take(judge.reading.poll(_SETTLE))
            judge.check_unfinished()
        judge.check_nothing_left(before)


async def aassert_closes(
    app: ASGIApp | AnyAsyncClient, path: str, *, within: float = 5.0, method: str = "GET", **request: Any
) -> None:
    """Prove what `assert_closes` does, on the loop of an async test.

    Args:
        app: an ASGI application, or a client of `async_stream_client`.
        path: what is asked for.
        within: seconds in which the first chunk is to come, and the application to return.
        method: of the request.
        **request: more of it, as httpx2 takes it: headers, json, …

    Raises:
        AssertionError: something is left, the application goes on, or the response was over before the client left.
    """
    async with _aclient_of(app, close_timeout=within) as client:
        with LeakCheck() as before:
            judge = _Judge(within, None, method, path)
            with judge.judging_start():
                async with client.stream(method, path, timeout=within, **request) as response:
                    judge.see(response)
                    while judge.first is None:
                        judge.take(await judge.reading.anext(within))
                    with suppress(TimeoutError):
                        judge.take(await judge.reading.apoll(_SETTLE))
                    judge.check_unfinished()
            judge.check_nothing_left(before)


class _Judge:
    """What is known of one response, and what follows from it. It does no I/O.

    Attributes:
        first: seconds from the request to the first chunk; None until it comes.
        streams: whether that is proven.
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
    def judging_start(self) -> Generator[None]:
        """Take what the client says of a response that does not start for a judgement."""
        try:
            yield
        except READ_TIMEOUT as error:
            said = f"{self._line}: expected the first chunk within {self._within} s, but not even a status came"
            raise AssertionError("\n".join([said, *getattr(error, "__notes__", ())])) from None

    def see(self, response: AnyResponse) -> None:
        """See the start of the response."""
        self.reading = Reading.of(response)
        kind: str = response.headers.get("content-type", "")
        self._events = kind.startswith("text/event-stream")

    @property
    def wants_more(self) -> bool:
        """Whether nothing is known yet."""
        return not (self.streams or self._ended)

    @property
    def patience(self) -> float:
        """Seconds that the next chunk is waited for."""
        if self.first is None or self._release is not None:
            return self._within
        return max(0.0, self._enough - self._waited)

    def take(self, chunk: bytes | None) -> None:
        """Take a chunk, or the end."""
        if self.first is not None:
            self.streams = self._release is not None or self._waited >= self._enough
            self._ended, self._rest = chunk is None, self._waited
        elif chunk is None:
            raise self.reading.failure(f"{'an event' if self._events else 'a chunk'}", "the response ended")
        elif not self._events or _has_event(chunk):
            self.first = time.monotonic() - self._asked
            if self._release is not None:
                self._release()

    def take_silence(self) -> None:
        """Take it that no chunk has come for as long as was waited."""
        if self.first is None:
            raise self.reading.failure(f"the first chunk within {self._within} s", "nothing came")
        if self._release is not None:
            raise self.reading.failure(f"more within {self._within} s of the release", "nothing more came")
        self.streams = True

    def check(self) -> None:
        """Raise AssertionError unless it streams."""
        response = self.reading.response
        if not response.is_success:  # however long it took: a busy machine alone makes a client wait for the rest
            raise self.reading.failure("a stream", f"the answer was {response.status_code} {response.reason_phrase}")
        if not self.streams:
            raise self.reading.failure(
                "the first chunk before the source goes on",
                f"all came at once: the first chunk {self.first:.3f} s after the request, and the rest within "
                f"{self._rest:.3f} s of it. It was gathered before it was sent; or its source never waits, which looks "
                "the same: have it wait between two items, or hold it and give release=",
            )

    def check_unfinished(self) -> None:
        """Raise AssertionError if the response is over: nobody can leave it any more."""
        exchange = self.reading.response.extensions.get(EXCHANGE)
        if exchange is None or self._ended or exchange.complete:
            what = "the response was over" if exchange is not None else "the client is none of the testing kit's"
            raise self.reading.failure("more to come when the client leaves, which is what closes the source", what)

    def check_nothing_left(self, before: LeakCheck) -> None:
        """Raise AssertionError if the request has left something behind."""
        unfinished: AssertionError | None = self.reading.response.extensions[EXCHANGE].unfinished
        if unfinished is not None:  # httpx2 closes a response when a read times out, which hides this error then
            raise unfinished
        left = before.left()
        if left:
            found = "\n".join(f"  {line}" for line in left)
            raise self.reading.failure("the source closed once the client had left", f"this is left:\n{found}")

    @property
    def _enough(self) -> float:
        return max(_LEAST, self.first or 0.0)

    @property
    def _waited(self) -> float:
        """Seconds since the first chunk."""
        return time.monotonic() - self._asked - (self.first or 0.0)


def _has_event(chunk: bytes) -> bool:
    """Say whether there is more in it than comments and the time to retry, which are sent without the source."""
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
