"""An endpoint of the Durable Streams protocol 1.0 over a broker's channels: a stream at every path.

pip install . starlette uvicorn
uvicorn examples.durable_streams:app
curl -X PUT -H 'Content-Type: application/json' localhost:8000/notes
curl -X POST -H 'Content-Type: application/json' -d '{"n": 1}' localhost:8000/notes
curl 'localhost:8000/notes?offset=-1'
curl -N 'localhost:8000/notes?offset=-1&live=sse'

Each stream is a channel, whose events say what was done to it: any worker learns of a stream by reading them, and keeps
what it has read. A broker checks no conditions when it publishes, so the writers of one stream must reach one worker;
readers may reach any. A channel is replayed up to 1,000 events, so a stream is full after as many appends (413), and it
lives for a day. Forks and the subscription APIs are not here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

import stream_adapter as sa

from .answers import PREFLIGHT, answer
from .reading import head, read
from .stream import Refused, Stream, live
from .writing import append, create, delete

__all__ = ["app"]

streams: dict[str, Stream] = {}

HANDLERS = {"PUT": create, "POST": append, "DELETE": delete, "HEAD": head, "GET": read}


async def respond(request: Request) -> sa.Response:
    """Answer one request."""
    path, handler = request.url.path, HANDLERS.get(request.method)
    if request.method == "OPTIONS":
        return answer(204, PREFLIGHT)
    if handler is None:
        return answer(405, {"Allow": PREFLIGHT["Access-Control-Allow-Methods"]})
    stream = streams.setdefault(path, Stream(path))
    stream.users += 1
    try:
        await stream.load()
        if not stream.exists and handler is not create:
            return answer(404, {})
        return await handler(request, stream)
    except Refused as refused:
        body = b"" if request.method == "HEAD" else f"{refused}\n".encode()
        return answer(refused.status, {"Content-Type": "text/plain", **refused.headers}, body)
    except (TimeoutError, sa.BrokerUnavailableError):
        return answer(503, {"Retry-After": "1"})
    finally:
        stream.users -= 1
        if not stream.users and stream.reader is None:
            del streams[path]  # there is nothing at this path


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a stream."""
    response = await respond(Request(scope, receive))
    await response.asgi(scope, receive, send)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Close the broker at the end, and what reads from it."""
    yield
    for stream in streams.values():
        if stream.reader is not None:
            stream.reader.cancel()
    await live.aclose()


app = Starlette(routes=[Mount("/", app=serve)], lifespan=lifespan)
