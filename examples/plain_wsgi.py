"""Any WSGI application: a Response is one.

pip install . gunicorn
gunicorn --threads 8 examples.plain_wsgi:app
curl -N localhost:8000/tokens
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

import stream_adapter as sa
from stream_adapter.types import Environ, StartResponse


async def tokens() -> AsyncIterator[str]:
    """An async generator, under WSGI."""
    for word in ("Hold", "nothing", "back", "that", "is", "ready", "."):
        yield f"{word} "
        await asyncio.sleep(0.1)


def rows() -> Iterator[dict[str, int]]:
    """JSON values, one per line."""
    yield from ({"row": number} for number in range(5))


PAGES = {"/tokens": tokens, "/rows": rows}


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serve a page."""
    page = PAGES.get(environ["PATH_INFO"])
    response = sa.Response(page()) if page else sa.text("no such page\n", status_code=404)
    return response.wsgi(environ, start_response)
