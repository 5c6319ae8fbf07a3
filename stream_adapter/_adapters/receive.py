"""`receive` of an ASGI application under WSGI: the parts of the request's body, then the disconnect.

`wsgi.input` belongs to the request's thread (PEP 3333). That thread reads a part on request, while it waits for the
response: so nothing is read after the response, and no faster than the application receives. If a `receive` is
cancelled, the next one returns the part that was read for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from stream_adapter._log import describe_stream, log_stream
from stream_adapter._receive_timeout import BodyTimeout, RequestInput
from stream_adapter._request import RequestHead
from stream_adapter.errors import RefusalError
from stream_adapter.types import Environ, Message

__all__ = ["InputReceiver", "body_length"]

_BLOCK = 65536  # bytes: a server's `read` waits for all of them, or for the end


class InputReceiver:
    """The messages of one request. Belongs to one loop, except for `_read`, which runs in the request's thread.

    Args:
        environ: the request.
        call_soon: runs a function in the request's thread.
        receive_timeout: seconds for which a read waits for a silent client; None: without limit.

    Attributes:
        closed: whether the response is over.
        notified: whether the application has received the disconnect.
        withheld: seconds after which a read of the body timed out; None if none did.
    """

    def __init__(
        self,
        environ: Environ,
        call_soon: Callable[[Callable[[], object]], object],
        receive_timeout: float | None = None,
    ) -> None:
        self._request = RequestHead.from_environ(environ)
        self._input: Any = environ["wsgi.input"] if receive_timeout is None else RequestInput(environ, receive_timeout)
        self._rest = body_length(environ)  # bytes; None: as many as there are
        self._call_soon = call_soon
        self.withheld: float | None = None
        self._loop = asyncio.get_running_loop()
        self._messages: deque[Message] = deque()
        self._reading = self._complete = False
        self._changed = asyncio.Event()
        self.closed = self.notified = False
        if self._rest == 0:
            self._arrive(b"", more=False)

    async def receive(self) -> Message:
        """Receive the next message, as an ASGI application does."""
        while not self._messages and not self.closed:
            if not self._complete and not self._reading:
                self._reading = True
                self._call_soon(self._read)
            self._changed.clear()
            await self._changed.wait()
        if self._messages:
            return self._messages.popleft()
        self.notified = True
        return {"type": "http.disconnect"}

    def close(self) -> None:
        """Make every `receive` return the disconnect from now on."""
        self.closed = True
        self._changed.set()

    def _read(self) -> None:
        """Read a part, in the request's thread."""
        try:
            part: bytes = self._input.read(_BLOCK if self._rest is None else min(_BLOCK, self._rest))
            if not part and self._rest:
                raise EOFError("a part of the body is missing")  # noqa: TRY301  # handled below, as an error of the server is
        except Exception as error:  # noqa: BLE001  # servers raise errors of their own; none can be read after
            name = describe_stream(self._request, self)
            log_stream(logging.DEBUG, name, "the request ended early", "handling it as a disconnect", error=error)
            self.withheld = error.seconds if isinstance(error, BodyTimeout) else None
            act = self.close
        else:
            if self._rest is not None:
                self._rest -= len(part)
            more = bool(part) if self._rest is None else self._rest > 0
            act = partial(self._arrive, part, more=more)
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing receives any more
            self._loop.call_soon_threadsafe(act)

    def _arrive(self, part: bytes, *, more: bool) -> None:
        self._messages.append({"type": "http.request", "body": part, "more_body": more})
        self._reading, self._complete = False, not more
        self._changed.set()


def body_length(environ: Environ) -> int | None:
    """Return the length of the request's body in bytes; None if it ends where `wsgi.input` does (RFC 9112, 6.3).

    Raises:
        BadLengthError: the Content-Length is not a number of bytes.
    """
    terminated = environ.get("wsgi.input_terminated")
    length: str = environ.get("CONTENT_LENGTH") or ""
    if not length or (terminated and "HTTP_TRANSFER_ENCODING" in environ):
        return None if terminated else 0
    if not (length.isascii() and length.isdecimal() and len(length) <= 18):
        raise BadLengthError("Content-Length: expected a number of bytes")
    return int(length)


class BadLengthError(RefusalError):
    """The request has an invalid Content-Length: 400 (RFC 9110, 8.6)."""

    status_code = 400
