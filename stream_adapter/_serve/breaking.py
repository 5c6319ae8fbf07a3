"""How a response that has begun is broken, so that it does not end as if it were complete.

For a server it is enough that its application raises. Starlette's BaseHTTPMiddleware, however, ends the response of an
application that raises in form, and raises only then; but not if a body was a dict, which it takes for a message, and
passes on as it is: to the next of its kind, and so to the server. What reads that body as bytes, the server or another
middleware, gets the error that ended the stream: where it would have come from, if nothing stood in between.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from stream_adapter.types import Send

__all__ = ["break_response"]

_GRACE = 1.0  # seconds in which the message must have reached what refuses it


async def break_response(send: Send, error: BaseException, report: Callable[[], object]) -> None:
    """Send the message on which a response breaks. What takes nothing is not waited for.

    Args:
        send: which has been sent the head of the response.
        error: what ended the stream; it is the caller's to raise.
        report: logs it. It is called once, and where the error leaves the application: a task of BaseHTTPMiddleware
            has a context of its own, and there tools which report errors do not find that this one is known.
    """
    refused = asyncio.Event()

    def refuse() -> None:
        if not refused.is_set():
            refused.set()
            report()

    traceback = error.__traceback__
    message = _Broken(error, refuse)
    try:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_GRACE):
                await send(message)
                await refused.wait()  # it was handed to another task
    finally:
        message.forget()
        refuse()
        error.__traceback__ = traceback


class _Broken(dict[str, Any]):
    """A message that is its own body, and raises when that is read as bytes.

    Its body is not stored, for that would be a cycle, and granian, which does not ask in Python, finds an empty one.
    """

    def __init__(self, error: BaseException, refuse: Callable[[], None]) -> None:
        super().__init__(type="http.response.body", more_body=True)
        self._error: BaseException | None = error
        self._refuse: Callable[[], None] | None = refuse

    def forget(self) -> None:
        """Drop what would live on with the message."""
        self._error = self._refuse = None

    def __getitem__(self, key: str) -> Any:
        return self if key == "body" else super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the message for its body."""
        return self if key == "body" else super().get(key, default)

    def keys(self) -> Any:
        """Return the names of a body message; what copies a dict of our kind asks for them."""
        return ("type", "body", "more_body")

    def __bool__(self) -> bool:
        return True

    def _refused(self) -> BaseException:
        if self._refuse is not None:
            self._refuse()
        return self._error or RuntimeError("the stream failed")

    def __iter__(self) -> Iterator[str]:
        raise self._refused()

    def __len__(self) -> int:
        raise self._refused()

    def __bytes__(self) -> bytes:
        raise self._refused()

    def __buffer__(self, flags: int, /) -> memoryview:  # Python 3.12, PEP 688
        raise self._refused()

    def __add__(self, other: object) -> bytes:
        raise self._refused()

    def __radd__(self, other: object) -> bytes:
        raise self._refused()
