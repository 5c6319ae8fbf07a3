"""A response of an ASGI application that goes out in parts: from the application's `send` to the server's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from traceback import clear_frames

from stream_adapter._body import BodyNotWanted, PushedBody, chain_of, follows_from_the_end
from stream_adapter._pump import PushProducer
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolved
from stream_adapter._serve.asgi import deliver
from stream_adapter._source import Source
from stream_adapter.types import Message, Send

from .options import Options
from .receive import Inbox

__all__ = ["Stream", "clear_traceback_frames"]

_FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class Stream:
    """A response that goes out in parts.

    Args:
        options: of the middleware.
        request: what is asked.
        head: the message that begins the response.
        inbox: where the disconnect comes.
        send: the server's; the delivery's from now on.
        interrupt: has the application end.
    """

    __slots__ = ("_bodiless", "_codec", "_complete", "_delivery", "_head", "_producer", "_send", "_sent_by_server")

    def __init__(
        self,
        options: Options,
        request: RequestHead,
        head: Message,
        inbox: Inbox,
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
        watch = partial(inbox.watch, body.is_held)
        self._delivery = asyncio.get_running_loop().create_task(deliver(body, watch, self._forward))

    async def send(self, message: Message) -> None:
        """Send, for the application."""
        if self._complete:
            await self._send_after_the_end(message)
        elif message["type"] != "http.response.body":
            await self._send_between(message)
        else:
            more = message.get("more_body", False)
            if not self._bodiless:
                await self._producer.send(message.get("body", b""))
            if self._bodiless or not more:
                self._complete = True
                self._producer.finish()
                await asyncio.shield(self._delivery)
            if self._bodiless and more:
                raise BodyNotWanted

    async def _send_after_the_end(self, message: Message) -> None:
        """Send trailers; anything else is not the server's to refuse, but ours."""
        if message["type"] == "http.response.trailers":
            await self._send(message)
        elif self._bodiless:
            raise BodyNotWanted
        else:
            raise RuntimeError(f"{message['type']} was sent after the response was complete")

    async def _send_between(self, message: Message) -> None:
        """Send what only the server understands, after all that came before it; a file may be the rest of the body."""
        await self._producer.flush()
        await self._send(message)
        if message["type"] in _FILES and not message.get("more_body", False):
            self._complete = self._sent_by_server = True
            self._producer.finish()
            await asyncio.shield(self._delivery)

    async def settle(self, error: BaseException | None, *, interrupted: bool) -> BaseException | None:
        """See the stream to its end, now that the application has ended; return what the server is to know.

        Args:
            error: what the application raised.
            interrupted: whether it was told to end.
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
        return error.with_traceback(traceback)  # the delivery has raised it too

    async def _forward(self, message: Message) -> None:
        """Send, for the delivery."""
        body = message.get("body")
        if body is None:
            message = {**self._head, "headers": message["headers"]}
        elif self._sent_by_server and not message["more_body"]:
            return
        elif self._codec is not None and isinstance(body, bytes):
            block = self._codec.compress(body) if body else b""
            message["body"] = block if message["more_body"] or self._bodiless else block + self._codec.finish()
        await self._send(message)


def clear_traceback_frames(error: BaseException) -> None:
    """Close what an application has left open, now that it has ended because its stream was over.

    It left its body in the frame in which `send` raised. The frame lives on in a cycle with the exception, and the body
    until the cyclic garbage collector comes by: no `finally` of a generator would run before.
    """
    for link in chain_of(error):
        clear_frames(link.__traceback__)
