"""A response of an ASGI application that is sent in several messages, from the application's `send` to the server's.

StreamedResponse  is a stream: it goes through the pump as a `Response` does
PassedResponse    has a Content-Length, as a file has: its messages pass through unchanged
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from traceback import clear_frames

from stream_adapter._body import PushedBody
from stream_adapter._log import log_stream
from stream_adapter._pump import PushProducer
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolved
from stream_adapter._serve.abort import raise_if_aborted
from stream_adapter._serve.asgi import deliver
from stream_adapter._source import Source
from stream_adapter.errors import BodyNotWanted, ClientDisconnected, StreamTimeoutError, chain_of, follows_from_the_end
from stream_adapter.types import Message, Send

from .options import Options
from .receive import SharedReceiver

__all__ = ["PassedResponse", "StreamedResponse", "clear_traceback_frames"]

_NAME = "response with a Content-Length (middleware)"
_SHORT = 0.05  # seconds after which a response with a length is watched for a disconnect
_FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class StreamedResponse:
    """A response that is a stream.

    Args:
        options: of the middleware.
        request: the request's head.
        head: the message that starts the response.
        receiver: receives the disconnect.
        send: the server's; only the delivery task calls it from now on.
        interrupt: ends the application.
    """

    __slots__ = ("_bodiless", "_codec", "_complete", "_delivery", "_head", "_producer", "_send", "_sent_by_server")

    def __init__(
        self,
        options: Options,
        request: RequestHead,
        head: Message,
        receiver: SharedReceiver,
        *,
        send: Send,
        interrupt: Callable[[], None],
    ) -> None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.get("headers", ())]
        outgoing = options.outgoing(head["status"], pairs, request)
        resolved = Resolved(head["status"], outgoing.headers, Source(None), outgoing.flow, None, request=request)
        body = PushedBody(resolved, on_stop=interrupt)
        self._head = head
        self._send = send
        self._codec = outgoing.codec
        self._producer = body.producer(PushProducer)
        self._bodiless = request.method == "HEAD"
        self._complete = False
        self._sent_by_server = False
        watch = partial(receiver.watch, body.is_held)
        self._delivery = asyncio.get_running_loop().create_task(deliver(body, watch, self._forward))

    async def send(self, message: Message) -> None:
        """Send a message of the application."""
        if self._complete:
            await self._send_after_the_end(message)
        elif message["type"] != "http.response.body":
            await self._send_between(message)
        else:
            more = message.get("more_body", False)
            if not self._bodiless:
                body = message.get("body", b"")
                raise_if_aborted(body)
                await self._producer.send(body)
            if self._bodiless or not more:
                self._complete = True
                self._producer.finish()
                await asyncio.shield(self._delivery)
            if self._bodiless and more:
                raise BodyNotWanted

    async def _send_after_the_end(self, message: Message) -> None:
        """Send trailers; refuse any other message."""
        if message["type"] == "http.response.trailers":
            await self._send(message)
        elif self._bodiless:
            raise BodyNotWanted
        else:
            raise RuntimeError(f"{message['type']} was sent after the response was complete")

    async def _send_between(self, message: Message) -> None:
        """Send a message of an extension after the chunks before it. A file may be the rest of the body."""
        await self._producer.flush()
        await self._send(message)
        if message["type"] in _FILES and not message.get("more_body", False):
            self._complete = self._sent_by_server = True
            self._producer.finish()
            await asyncio.shield(self._delivery)

    async def finish(self, error: BaseException | None, *, interrupted: bool) -> BaseException | None:
        """Wait for the end of the stream, now that the application has ended; return the error to raise to the server.

        Args:
            error: what the application raised.
            interrupted: whether the middleware has ended the application.
        """
        if error is None and not self._complete and not interrupted:
            error = RuntimeError("the application returned before its response was complete")
        traceback = None if error is None else error.__traceback__
        self._producer.finish(error)
        if isinstance(error, asyncio.CancelledError):
            self._delivery.cancel()
        while not self._delivery.done():
            try:
                await asyncio.wait([self._delivery])
            except asyncio.CancelledError as cancelled:
                error = cancelled
                self._delivery.cancel()
        failure = None if self._delivery.cancelled() else self._delivery.exception()
        if error is None:
            return failure
        if follows_from_the_end(error):
            clear_traceback_frames(error)
            return failure
        return error.with_traceback(traceback)  # the delivery task has raised it too, which extended the traceback

    async def _forward(self, message: Message) -> None:
        """Send a message of the delivery task."""
        body = message.get("body")
        if body is None:
            message = {**self._head, "headers": message["headers"]}
        elif self._sent_by_server and not message["more_body"]:
            return
        elif self._codec is not None and isinstance(body, bytes):
            block = self._codec.compress(body) if body else b""
            message["body"] = block if message["more_body"] or self._bodiless else block + self._codec.finish()
        await self._send(message)


class PassedResponse:
    """A response whose messages pass through unchanged.

    The promise of the scope is kept (ASGI 2.4): after a disconnect `send` raises OSError, and an application that is
    silent then is ended. Nearly every such response is over at once and costs a timer only; a longer one is watched.

    Args:
        receiver: receives the disconnect.
        send: the server's.
        interrupt: ends the application.
        send_timeout: seconds that the server may take for one message; None: without limit.
    """

    __slots__ = (
        "_failure",
        "_interrupt",
        "_loop",
        "_receiver",
        "_send",
        "_send_timeout",
        "_sending",
        "_timer",
        "_watch",
    )

    def __init__(
        self, receiver: SharedReceiver, *, send: Send, interrupt: Callable[[], None], send_timeout: float | None
    ) -> None:
        self._receiver = receiver
        self._send = send
        self._interrupt = interrupt
        self._send_timeout = send_timeout
        self._failure: Callable[[], Exception] | None = None  # makes the error that ended the response early
        self._sending = False
        self._watch: asyncio.Task[Message] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(_SHORT, self._begin_watching)

    async def send(self, message: Message) -> None:
        """Send a message of the application.

        Raises:
            OSError: the client has disconnected, or has taken nothing within `send_timeout`.
        """
        if self._failure is not None:
            raise self._failure()
        self._sending = True
        if self._send_timeout is None:  # the default: nothing else is done per message of a file
            await self._send(message)
        else:
            await self._send_in_time(message, self._send_timeout)
        self._sending = False
        if not message.get("more_body"):
            self.close()

    async def _send_in_time(self, message: Message, seconds: float) -> None:
        failure = partial(StreamTimeoutError, "send_timeout", seconds)
        deadline = self._loop.call_later(seconds, self._end, failure)
        try:
            await self._send(message)
        finally:
            deadline.cancel()

    def close(self) -> None:
        """Stop watching: the response is complete, or its application has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watch is not None:
            self._watch.remove_done_callback(self._end_by_disconnect)
            self._watch.cancel()
            self._watch = None

    def finish(self, error: BaseException | None) -> BaseException | None:
        """Return the error to raise to the server, now that the application has ended.

        Args:
            error: what the application raised.
        """
        self.close()
        if self._failure is None or (error is not None and not follows_from_the_end(error)):
            return error
        if error is not None:
            clear_traceback_frames(error)
        failure = self._failure()
        return None if isinstance(failure, ClientDisconnected) else failure

    def _begin_watching(self) -> None:
        self._timer = None
        self._watch = self._loop.create_task(self._receiver.watch(lambda: self._sending))
        self._watch.add_done_callback(self._end_by_disconnect)

    def _end_by_disconnect(self, watch: asyncio.Task[Message]) -> None:
        if watch.cancelled():
            return
        if (error := watch.exception()) is not None:  # a connection whose `receive` fails is not usable
            log_stream(logging.DEBUG, _NAME, "receive failed", "handling it as a disconnect", error=error)
        self._end(ClientDisconnected)

    def _end(self, failure: Callable[[], Exception]) -> None:
        if self._failure is None:
            self._failure = failure
            self._interrupt()


def clear_traceback_frames(error: BaseException) -> None:
    """Clear the frames of an application that ended because its stream was over, so that its generators are closed.

    The application's body is referred to by the frame in which `send` raised, and that frame is in a cycle with the
    exception. Without this, a generator's `finally` would run when the cyclic garbage collector does.
    """
    for link in chain_of(error):
        clear_frames(link.__traceback__)
