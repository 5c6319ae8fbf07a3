"""The middleware for WSGI applications (PEP 3333).

Ownership: the application is called, iterated and closed in one thread and one context. Usually these are the request's
own, as without the middleware. If keepalives or deadlines must work while the stream is silent, it is a thread of the
pool, from the call to the close, and the request's thread waits for it. That is decided before the call: the options
have deadlines, or the client accepts event streams, as every EventSource does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from stream_adapter._body import Hooks, SyncBody
from stream_adapter._log import expect_reports, forget_reports
from stream_adapter._pump import StepContext
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolved
from stream_adapter._serve.wsgi import refuse
from stream_adapter._server_sockets import client_connection
from stream_adapter._source import Source
from stream_adapter.errors import RefusalError
from stream_adapter.types import Environ, StartResponse, WSGIApp

from .compression import Codec
from .options import Middleware
from .wsgi_call import ApplicationCall, ApplicationThread

__all__ = ["StreamAdapterMiddleware"]

T = TypeVar("T")


class _Here:
    """The current context, which is entered already and cannot be entered twice."""

    @staticmethod
    def run(function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)

    @staticmethod
    def get(variable: ContextVar[T]) -> T | None:
        return variable.get(None)


_PATIENCE = 0.05  # seconds that a chunk may wait for others
_HERE: StepContext = _Here()


class StreamAdapterMiddleware(Middleware[WSGIApp]):
    """Add what `Response` does to the streams of a WSGI application.

    Its streams are encoded, limited, closed and counted as a `Response` is. Responses that are not streams pass through
    unchanged, as does what is sent by `write()`.
    """

    _protocol = "WSGI"
    _remedy = "take stream_adapter.asgi.StreamAdapterMiddleware"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._options.bounds_silence or self._expects_events(environ):
            return self._call_in_a_thread(environ, start_response)
        call = ApplicationCall(self.app, environ, start_response, self._options.receive_timeout, forget_reports)
        expect_reports()
        try:
            call.begin()
            if call.may_stream():
                call.take_first()
            if not call.may_stream():
                return call.pass_through(self._passed_headers(call, environ))
            hooks = Hooks(connection=client_connection(environ), context=_HERE)
            return self._serve(call, environ, hooks, keeps_time=False)
        except BaseException as error:
            call.close()
            if (refusal := call.refusal(error)) is None:
                raise
            return refuse(refusal, start_response)

    def _passed_headers(self, call: ApplicationCall, environ: Environ) -> list[tuple[str, str]]:
        if not call.line:  # the server handles the protocol error
            return call.headers
        return self._options.passed_headers(call.status, call.headers, RequestHead.from_environ(environ))

    def _expects_events(self, environ: Environ) -> bool:
        return self._options.keepalive is not None and "text/event-stream" in environ.get("HTTP_ACCEPT", "")

    def _call_in_a_thread(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            thread = ApplicationThread()
        except RefusalError as error:
            return refuse(error, start_response)
        call = ApplicationCall(self.app, environ, start_response, self._options.receive_timeout, thread.release)
        thread.context.run(expect_reports)

        def begin() -> None:
            call.begin()
            if call.may_stream() and (not call.line or call.is_head):
                call.take_first()

        try:
            thread.run(begin)
            if not call.may_stream():
                return thread.pass_through(call, self._passed_headers(call, environ))
        except BaseException as error:
            thread.run(call.close)
            if (refusal := call.refusal(error)) is None:
                raise
            return refuse(refusal, start_response)
        try:
            hooks = Hooks(connection=client_connection(environ), submit=thread.submit, context=thread.context)
            body = self._serve(call, environ, hooks, keeps_time=True)
            if call.is_head:
                thread.run(call.close)  # it is not iterated, and the body would close it in this thread
        except BaseException as error:
            call.close()
            if (refusal := call.refusal(error)) is None:
                raise
            return refuse(refusal, start_response)
        return body

    def _serve(self, call: ApplicationCall, environ: Environ, hooks: Hooks, *, keeps_time: bool) -> Iterable[bytes]:
        """Open the body, then pass the head to the server: it can answer an error before."""
        head = RequestHead.from_environ(environ)
        outgoing = self._options.outgoing(call.status, call.headers, head, keeps_time=keeps_time)
        content = b"" if head.method == "HEAD" else None
        resolved = Resolved(call.status, outgoing.headers, Source(call), outgoing.flow, content, request=head)
        body = SyncBody(resolved, hooks)
        try:
            body.start()
            call.commit(call.line, body.headers)
        except BaseException:
            body.close()
            raise
        blocks: Generator[bytes] | None = None
        if not outgoing.live:
            body.marks_failure = True
            blocks = _gather(body, self._options.limits.high_water)
        if outgoing.codec is not None and content is None:
            blocks = _compress(blocks or body, outgoing.codec)
        return body if blocks is None else _ProcessedBody(body, blocks)


class _ProcessedBody:
    """A body's blocks, batched or compressed: the iterable that the server gets.

    Args:
        body: is closed with this.
        blocks: iterates the body.
    """

    def __init__(self, body: SyncBody, blocks: Generator[bytes]) -> None:
        self._body = body
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def close(self) -> None:
        """Close the body. PEP 3333 requires it."""
        try:
            self._blocks.close()
        finally:
            self._body.close()


def _gather(blocks: Iterable[bytes], size: int) -> Generator[bytes]:
    """Join blocks until they have `size` bytes, or the first of them has waited for `_PATIENCE`.

    An empty one marks a failure: what is held is sent before the connection is broken.
    """
    held: list[bytes] = []
    length, deadline = 0, 0.0
    now = time.monotonic
    for block in blocks:
        if block:
            if not held:
                deadline = now() + _PATIENCE
            held.append(block)
            length += len(block)
        if held and (length >= size or not block or now() >= deadline):
            yield b"".join(held)
            held.clear()
            length = 0
    if held:
        yield b"".join(held)


def _compress(blocks: Iterable[bytes], codec: Codec) -> Generator[bytes]:
    """Compress each block at once."""
    for block in blocks:
        yield codec.compress(block)
    yield codec.finish()
