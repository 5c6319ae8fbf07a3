"""A response to an ASGI 3.0 server, until it is known to be a stream: what is not is answered here."""

from __future__ import annotations

import logging

from stream_adapter._body import NO_HOOKS, AsyncBody
from stream_adapter._log import describe_stream, log_stream
from stream_adapter._pump import running_loop
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Resolvable, Resolved
from stream_adapter.errors import RefusalError
from stream_adapter.types import Receive, Scope, Send

from .asgi import block_message, refuse, start_message
from .other_scopes import answer_other

__all__ = ["deliver_plain", "opened"]


async def opened(response: Resolvable, scope: Scope, receive: Receive, send: Send) -> AsyncBody | None:
    """Return the body of a stream, to be delivered; what is answered at once is answered here.

    A lifespan is completed, a websocket is refused.

    Raises:
        UnsupportedError: no asyncio event loop runs.
    """
    if scope["type"] != "http":
        running_loop()
        await answer_other(scope, receive, send)
        return None
    try:
        resolved = await response.aresolve(RequestHead.from_scope(scope))
    except RefusalError as error:
        await refuse(error, send)
        return None
    if resolved.is_plain:
        await deliver_plain(resolved, send)
        return None
    return AsyncBody(resolved, NO_HOOKS)


async def deliver_plain(resolved: Resolved, send: Send) -> None:
    """Send a response that `is_plain`. An OSError of `send` is a disconnect."""
    try:
        await send(start_message(resolved.status, resolved.headers))
        await send(block_message(resolved.body or b"", more=False))
    except OSError:
        stream = describe_stream(resolved.request, resolved.source.content)
        log_stream(logging.DEBUG, stream, "the client disconnected", "nothing more is sent")
