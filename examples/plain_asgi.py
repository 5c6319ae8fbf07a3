"""Any ASGI application: a Response is one.

pip install . uvicorn
uvicorn examples.plain_asgi:app
curl -N localhost:8000/tokens
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send


async def tokens() -> AsyncIterator[str]:
    """An async generator."""
    for word in ("Hold", "nothing", "back", "that", "is", "ready", "."):
        yield f"{word} "
        await asyncio.sleep(0.1)


def rows() -> Iterator[dict[str, int]]:
    """JSON values, one per line."""
    yield from ({"row": number} for number in range(5))


PAGES = {"/tokens": tokens, "/rows": rows}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a page."""
    page = PAGES.get(scope.get("path", ""))
    response = sa.Response(page()) if page else sa.text("no such page\n", status_code=404)
    await response.asgi(scope, receive, send)
