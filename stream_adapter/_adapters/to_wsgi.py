"""An ASGI application under a WSGI server.

It runs in a task of the background loop and sends into the buffer; the request's thread takes from it. For the pump
it is an async source of a single step, the whole source, that yields nothing: `send` puts the chunks during that step.

The request is over when the response is complete; an application that has more to do continues without it. After a
disconnect `receive` returns `http.disconnect` and `send` raises. An application that does neither is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from stream_adapter._body import Hooks, SyncBody
from stream_adapter._headers import content_length, field_value, make_headers, outgoing_head
from stream_adapter._limits import Limits, StreamSummary, check_seconds
from stream_adapter._log import describe_stream, log_stream
from stream_adapter._media_types import EVENT_STREAM, without_parameters
from stream_adapter._pump import TaskProducer
from stream_adapter._receive_timeout import BodyTimeout
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolved
from stream_adapter._serve.wsgi import begin
from stream_adapter._server_sockets import client_connection
from stream_adapter._source import Source
from stream_adapter._status import is_bodiless
from stream_adapter.errors import BodyNotWanted, ClientDisconnected, follows_from_the_end
from stream_adapter.types import ASGIApp, Environ, Message, StartResponse, WSGIApp

from .flow import flow_of
from .lifespan import ProcessLifespan
from .receive import InputReceiver
from .scope import scope_of

__all__ = ["to_wsgi"]

_LIMITS = Limits()
_NOTICE = 0.05  # seconds for an application to receive the disconnect; then it is cancelled
_GRACE = 0.5  # seconds for it to end then; then the request ends without it
_EVENTS_COMMIT_AFTER = 0.25  # seconds for which the head of an event stream waits for its first event

_background: set[asyncio.Task[None]] = set()  # run on after their response; a loop refers to its tasks weakly


def to_wsgi(
    app: ASGIApp,
    *,
    limits: Limits = _LIMITS,
    on_close: Callable[[StreamSummary], object] | None = None,
    receive_timeout: float | None = 30.0,
) -> WSGIApp:
    """Serve an ASGI application under WSGI.

    It runs on one event loop per process, in a thread of its own. Its lifespan starts with the first request and shuts
    down when the process exits. The server answers an error before the first part of a response. The application is
    notified of a disconnect as ASGI specifies. `receive` reads the body as it arrives. Nothing starts before the first
    request, so a server may fork.

    Args:
        app: the application (ASGI 3.0). Its scope has the environ as `wsgi_environ`.
        limits: bounds and deadlines of each response.
        on_close: called with a StreamSummary when a response is over.
        receive_timeout: seconds that a read of the request's body waits for a silent client, because it occupies a
            thread. Then the application receives a disconnect, and the answer is 408. None: without limit. It applies
            where the server gives access to its socket: gunicorn, Werkzeug, cheroot, on Linux.

    Raises:
        TypeError, ValueError: `receive_timeout` is not a positive number of seconds.
    """
    check_seconds("receive_timeout", receive_timeout)
    lifespan = ProcessLifespan(app)

    def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        connection = client_connection(environ)
        source = _ASGISource(app, environ, lifespan.begin(), receive_timeout)
        flow = flow_of(source.head, limits, on_close)
        head = RequestHead.from_environ(environ)
        resolved = Resolved(status=200, headers=[], source=Source(source), flow=flow, body=None, request=head)
        source.body = SyncBody(resolved, Hooks(connection=connection))
        source.body.expect_reports()
        return begin(source.body, environ, start_response)

    return wsgi


class _ASGISource(AsyncIterator[bytes]):
    """The source of a response: one call of an ASGI application.

    Args:
        app: the application.
        environ: the request.
        state: of the application's lifespan.
        receive_timeout: seconds that a read of its body waits for a silent client.

    Attributes:
        log_name: its name in the log.
        body: the body that sends this source.
    """

    log_name = "ASGI application"
    body: SyncBody
    _receiver: InputReceiver
    _ended: asyncio.Event
    _task: asyncio.Task[None]
    _producer: TaskProducer
    _put: Callable[[bytes], bool]

    def __init__(self, app: ASGIApp, environ: Environ, state: dict[str, Any], receive_timeout: float | None) -> None:
        self._app = app
        self._receive_timeout = receive_timeout
        self._environ = environ
        self._state = state
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._rest: int | None = None  # bytes of Content-Length that are not sent yet; None: without one
        self._bodiless = environ["REQUEST_METHOD"] == "HEAD"
        self._flows = False  # whether chunks are put without further checks
        self._begun = self._complete = False
        self._error: BaseException | None = None
        self._turn = asyncio.Lock()

    async def __anext__(self) -> bytes:
        """Run the application until its response is complete."""
        # raises for an invalid Content-Length
        self._receiver = InputReceiver(self._environ, self.body.call_soon, self._receive_timeout)
        self._begun = True
        self._ended = asyncio.Event()
        self._producer = self.body.producer(TaskProducer)
        self._put = self._producer.put
        self._task = asyncio.create_task(self._run())
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        if self._complete:
            raise StopAsyncIteration
        if self._receiver.withheld is not None:
            raise BodyTimeout(self._receiver.withheld)
        if self._receiver.closed:
            raise ClientDisconnected
        raise RuntimeError("the ASGI application returned before its response was complete")

    @property
    def _name(self) -> str:
        return describe_stream(RequestHead.from_environ(self._environ), self)

    async def _run(self) -> None:
        try:
            await self._app(scope_of(self._environ, self._state), self._receiver.receive, self._send)
        except BaseException as error:  # noqa: BLE001  # __anext__ raises it
            if not self._receiver.closed:
                self._error = error
            elif self._complete and not (isinstance(error, asyncio.CancelledError) or follows_from_the_end(error)):
                happened, then = "failed after its response was complete", "the response is not affected"
                log_stream(logging.ERROR, self._name, happened, then, error=error)
            else:
                happened, then = "ended after its client disconnected", "nothing more is done"
                log_stream(logging.DEBUG, self._name, happened, then, error=error)
        finally:
            self._ended.set()

    async def aclose(self) -> None:
        """Send the application the disconnect; cancel it if its response was not complete and it does not end."""
        if not self._begun:
            return
        self._close()
        task = self._task
        if not self._complete:
            await asyncio.wait({task}, timeout=_NOTICE)
            if not self._receiver.notified:
                task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)
        if not task.done():
            _background.add(task)
            task.add_done_callback(_background.discard)

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers, which are final once there is a chunk."""
        return self._status or 200, self._headers

    async def _send(self, message: Message) -> None:
        if self._flows and message["type"] == "http.response.body" and message.get("more_body"):
            chunk = message.get("body", b"")
            if chunk.__class__ is bytes:  # nearly every message of a stream
                if chunk and self._put(chunk):
                    await self._wait_for_room()
                return
        if self._receiver.closed:
            self._refuse(message)
        if message["type"] != "http.response.body":
            self._start(message)
            return
        chunk = self._checked(message.get("body", b""))
        if chunk and self._put(chunk):
            await self._wait_for_room()
        if self._bodiless or not message.get("more_body"):
            self._finish()

    async def _wait_for_room(self) -> None:
        async with self._turn:
            await self._producer.wait_for_room()

    def _refuse(self, message: Message) -> None:
        if self._complete and not self._bodiless:
            raise RuntimeError(f"{message['type']} was sent after the response was complete")
        self._receiver.notified = True
        raise BodyNotWanted if self._complete else ClientDisconnected

    def _checked(self, body: Any) -> bytes:
        """Return the bytes to send.

        Raises:
            TypeError: it is not bytes.
            RuntimeError: it comes before the head, or the body exceeds its Content-Length.
        """
        if self._status is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if self._bodiless:
            return b""
        if type(body) not in {bytes, bytearray, memoryview}:
            raise TypeError(f"http.response.body: expected bytes, got {type(body).__name__}")
        chunk = bytes(body)
        if self._rest is not None:
            self._rest -= len(chunk)
            if self._rest < 0:
                raise RuntimeError(f"the body is {-self._rest} bytes longer than its Content-Length")
        return chunk

    def _start(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            raise ValueError(f"{message['type']}: expected http.response.start or .body; no extension was offered")
        if self._status is not None:
            raise RuntimeError("http.response.start was sent twice")
        if message.get("trailers"):
            raise ValueError("http.response.start: trailers were not offered; WSGI has none")
        pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ()))
        self._status, self._headers = outgoing_head(_check_status(message["status"]), make_headers(pairs))
        self._bodiless = self._bodiless or is_bodiless(self._status)
        length = content_length(self._headers)
        self._rest = None if self._bodiless else length
        self._flows = not self._bodiless and self._rest is None
        if without_parameters(field_value(self._headers, "content-type") or "") == EVENT_STREAM:
            asyncio.get_running_loop().call_later(_EVENTS_COMMIT_AFTER, self._commit)

    def _commit(self) -> None:
        """Send the head by an empty chunk, if the server supports that, before a first event that is late."""
        if not self._receiver.closed and not self._producer.buffer.count:
            self._producer.put(b"")

    def _finish(self) -> None:
        if self._rest and not self._bodiless:
            raise RuntimeError(f"the body is {self._rest} bytes shorter than its Content-Length")
        self._complete = True
        self._close()
        self._ended.set()

    def _close(self) -> None:
        self._flows = False
        self._receiver.close()


def _check_status(status: object) -> int:
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"http.response.start: expected a status from 200 to 599, got {status!r}")
    return int(status)
