"""Abort a response that has started, so that the client can tell that it is incomplete.

Why not only raise? For a server that is enough. But Starlette's BaseHTTPMiddleware stands between some applications and
the server: when its application raises, it first ends the response regularly and raises only then, so that the client
sees a complete response.

That middleware does not look into a body that is a dict: it takes such a body for a message and passes it on as it is,
to the next BaseHTTPMiddleware and at last to the server. So `abort_response` sends a message that is its own body. The
code that reads this body as bytes, in the server or in another middleware, gets the exception that ended the stream, as
if nothing stood in between.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from stream_adapter.types import Send

__all__ = ["abort_response", "raise_if_aborted"]

_GRACE = 1.0  # seconds in which the message must have reached the code that reads it


async def abort_response(send: Send, error: BaseException, report: Callable[[], object]) -> None:
    """Send the message that aborts a response. A server that no longer receives is not waited for.

    Args:
        send: the server's; it has the head of the response.
        error: what ended the stream; the caller raises it.
        report: logs the error. Called once, where the error leaves the application: a task of BaseHTTPMiddleware has
            its own context, and error reporters in it do not know that this error was reported.
    """
    was_read = asyncio.Event()

    def on_read() -> None:
        if not was_read.is_set():
            was_read.set()
            report()

    traceback = error.__traceback__
    message = _RaisingMessage(error, on_read)
    try:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_GRACE):
                await send(message)
                await was_read.wait()  # the message was handed to another task
    finally:
        message.forget()
        on_read()
        error.__traceback__ = traceback


def raise_if_aborted(body: object) -> None:
    """Raise what ended a response, if `body` is that of the message which aborts it.

    For code that does not read a body as bytes, and would take it for a mistake of the application.
    """
    if isinstance(body, _RaisingMessage):
        bytes(body)


class _RaisingMessage(dict[str, Any]):
    """A message that is its own body, and raises when the body is read as bytes.

    The body is not stored, because that would be a reference cycle. granian does not call these methods and finds an
    empty body.
    """

    def __init__(self, error: BaseException, on_read: Callable[[], None]) -> None:
        super().__init__(type="http.response.body", more_body=True)
        self._error: BaseException | None = error
        self._on_read: Callable[[], None] | None = on_read

    def forget(self) -> None:
        """Drop the references, which would live as long as the message."""
        self._error = self._on_read = None

    def __getitem__(self, key: str) -> Any:
        return self if key == "body" else super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the message as its body."""
        return self if key == "body" else super().get(key, default)

    def keys(self) -> Any:
        """Return the names of a body message, for code that copies it."""
        return ("type", "body", "more_body")

    def __bool__(self) -> bool:
        return True

    def _was_read(self) -> BaseException:
        if self._on_read is not None:
            self._on_read()
        return self._error or RuntimeError("the stream failed")

    def __iter__(self) -> Iterator[str]:
        raise self._was_read()

    def __len__(self) -> int:
        raise self._was_read()

    def __bytes__(self) -> bytes:
        raise self._was_read()

    def __buffer__(self, flags: int, /) -> memoryview:  # Python 3.12, PEP 688
        raise self._was_read()

    def __add__(self, other: object) -> bytes:
        raise self._was_read()

    def __radd__(self, other: object) -> bytes:
        raise self._was_read()
