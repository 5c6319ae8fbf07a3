"""The middleware for WSGI applications (PEP 3333).

Who owns what: the application is called, iterated and closed in one thread and one context. That is the request's own,
as without us, unless the stream must be looked after while it is silent, for keepalives or deadlines: then it is a
thread of the pool's, from the call to the close, and the request's thread waits beside it. Whether it must is known
before the call: there are deadlines, or the client asks for an event stream, as every EventSource does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextvars import ContextVar
from typing import Any, TypeVar

from stream_adapter._body import Hooks, SyncBody
from stream_adapter._connection import client_connection
from stream_adapter._log import expect_reports, forget_reports
from stream_adapter._pump import StepContext
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolved
from stream_adapter._serve.wsgi import refuse
from stream_adapter._source import Source
from stream_adapter.errors import RefusalError
from stream_adapter.types import Environ, StartResponse, WSGIApp

from .blocks import Blocks, compress, gather
from .options import Middleware
from .thread import Thread
from .wsgi_call import Call

__all__ = ["StreamAdapterMiddleware"]

T = TypeVar("T")


class _Here:
    """Stands in for a context: the one that is here already, which cannot be entered twice."""

    @staticmethod
    def run(function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)

    @staticmethod
    def get(variable: ContextVar[T]) -> T | None:
        return variable.get(None)


_HERE: StepContext = _Here()


class StreamAdapterMiddleware(Middleware[WSGIApp]):
    """Add what `Response` does to the streams of a WSGI application.

    Its streams are encoded, limited, closed and counted as a `Response` is. Responses that are not streams pass through
    unchanged, as does what is sent by `write()`.
    """

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._options.bounds_silence or self._expects_events(environ):
            return self._call_in_a_thread(environ, start_response)
        call = Call(self.app, environ, start_response, self._options.receive_timeout, forget_reports)
        expect_reports()
        try:
            call.begin()
            if call.may_stream():
                call.pull()
            if not call.may_stream():
                return call.pass_on(self._passed_headers(call, environ))
            hooks = Hooks(connection=client_connection(environ), context=_HERE)
            return self._serve(call, environ, hooks, keeps_time=False)
        except BaseException as error:
            call.close()
            if (refusal := call.refusal(error)) is None:
                raise
            return refuse(refusal, start_response)

    def _passed_headers(self, call: Call, environ: Environ) -> list[tuple[str, str]]:
        if not call.line:  # the server says what it thinks of that
            return call.headers
        return self._options.passed_headers(call.status, call.headers, RequestHead.from_environ(environ))

    def _expects_events(self, environ: Environ) -> bool:
        return self._options.keepalive is not None and "text/event-stream" in environ.get("HTTP_ACCEPT", "")

    def _call_in_a_thread(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            thread = Thread()
        except RefusalError as error:
            return refuse(error, start_response)
        call = Call(self.app, environ, start_response, self._options.receive_timeout, thread.release)
        thread.context.run(expect_reports)

        def begin() -> None:
            call.begin()
            if call.may_stream() and (not call.line or call.is_head):
                call.pull()

        try:
            thread.run(begin)
            if not call.may_stream():
                return thread.pass_on(call, self._passed_headers(call, environ))
        except BaseException as error:
            thread.run(call.close)
            if (refusal := call.refusal(error)) is None:
                raise
            return refuse(refusal, start_response)
        try:
            hooks = Hooks(connection=client_connection(environ), submit=thread.submit, context=thread.context)
            body = self._serve(call, environ, hooks, keeps_time=True)
            if call.is_head:
                thread.run(call.close)  # nobody iterates it there, and the body would close it here
        except BaseException as error:
            call.close()
            if (refusal := call.refusal(error)) is None:
                raise
            return refuse(refusal, start_response)
        return body

    def _serve(self, call: Call, environ: Environ, hooks: Hooks, *, keeps_time: bool) -> Iterable[bytes]:
        """Open the body, whose errors are still the server's to answer, and then hand over the head."""
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
        passed: Generator[bytes] | None = None
        if not outgoing.live:
            passed = gather(body, self._options.limits.high_water)
        if outgoing.codec is not None and content is None:
            passed = compress(passed or body, outgoing.codec)
        return body if passed is None else Blocks(body, passed)
