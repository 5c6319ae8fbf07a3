"""Applications whose listeners all wait for one channel: `/listen` streams its events, `/publish/N` publishes N."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import orjson
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter.types import ASGIApp, Receive, Scope, Send
from stream_adapter_fastapi import Stream

__all__ = ["DATA", "Ring", "adapted", "adapted_fastapi", "broadcaster", "django_eventstream", "fastapi", "floor"]

DATA = {"symbol": "ABC", "price": 101.25, "at": 1700000000}
_PAUSE = 0.02  # seconds between two events: each wakes all listeners by itself
Publish = Callable[[], Awaitable[object]]


class Ring:
    """The least that a channel can be: a shared list of frames, and whom to wake."""

    def __init__(self) -> None:
        self.frames: list[bytes] = [b": open\n\n"]
        self._waiting: list[asyncio.Future[None]] = []

    async def publish(self) -> None:
        """Append a frame, encoded once, and wake those who wait."""
        self.frames.append(b"id: %d\ndata: %b\n\n" % (len(self.frames), orjson.dumps(DATA)))
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def listen(self) -> AsyncIterator[bytes]:
        """Yield what comes, from the newest frame on."""
        at = len(self.frames) - 1
        while True:
            while at < len(self.frames):
                frame = self.frames[at]
                at += 1
                yield frame
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter


def _app(listen: ASGIApp, publish: Publish) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/listen":
            await listen(scope, receive, send)
            return
        await _publish(scope["path"], publish)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return app


async def _publish(path: str, publish: Publish) -> None:
    for _ in range(int(path.rpartition("/")[2])):
        await publish()
        await asyncio.sleep(_PAUSE)


def floor() -> ASGIApp:
    """Send each frame of a shared list, by hand: no disconnect is seen, and no keepalive is sent."""
    ring = Ring()

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for frame in ring.listen():
            await send({"type": "http.response.body", "body": frame, "more_body": True})

    return _app(listen, ring.publish)


def adapted() -> ASGIApp:
    """Send the events of a broker, without a framework."""
    live = sa.Broker()

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.sse(live.subscribe("prices")).asgi(scope, receive, send)

    return _app(listen, lambda: live.apublish("prices", DATA))


def adapted_fastapi() -> ASGIApp:
    """Send the events of a broker, in FastAPI."""
    live = sa.Broker()
    app = FastAPI()

    @app.get("/listen")
    async def listen(stream: Stream) -> Response:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        return stream(sa.sse(live.subscribe("prices")))

    @app.get("/publish/{count}")
    async def publish(count: int) -> None:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        await _publish(f"/{count}", lambda: live.apublish("prices", DATA))

    return app


def fastapi() -> ASGIApp:
    """Send the frames of a shared list, in FastAPI, by hand."""
    ring = Ring()
    app = FastAPI()

    @app.get("/listen")
    async def listen() -> Response:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        return StreamingResponse(ring.listen(), media_type="text/event-stream")

    @app.get("/publish/{count}")
    async def publish(count: int) -> None:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        await _publish(f"/{count}", ring.publish)

    return app


def broadcaster() -> ASGIApp:
    """Send what broadcaster brings, in Starlette, as its README does; the frames are made by hand."""
    from broadcaster import Broadcast  # noqa: PLC0415  # it need not be installed

    live: Any = Broadcast("memory://")
    connected: list[asyncio.Task[None]] = []

    async def connect() -> None:
        if not connected:
            connected.append(asyncio.create_task(live.connect()))
        await connected[0]

    async def frames() -> AsyncIterator[bytes]:
        await connect()
        async with live.subscribe(channel="prices") as events:
            yield b": open\n\n"
            async for event in events:
                yield b"data: %b\n\n" % event.message.encode()

    async def listen(_: Request) -> Response:
        return StreamingResponse(frames(), media_type="text/event-stream")

    async def publish(request: Request) -> Response:
        text = orjson.dumps(DATA).decode()
        await _publish(request.url.path, lambda: live.publish(channel="prices", message=text))
        return PlainTextResponse("")

    return Starlette(routes=[Route("/listen", listen), Route("/publish/{count}", publish)])


def django_eventstream() -> ASGIApp:
    """Send what django-eventstream brings, under Django's ASGI handler, with no storage."""
    import django  # noqa: PLC0415  # it need not be installed
    from django.conf import settings  # noqa: PLC0415

    settings.configure(ALLOWED_HOSTS=["*"], INSTALLED_APPS=["django_eventstream"], ROOT_URLCONF=__name__, USE_TZ=True)
    django.setup()
    from asgiref.sync import sync_to_async  # noqa: PLC0415
    from django.core.asgi import get_asgi_application  # noqa: PLC0415
    from django.http import HttpRequest, HttpResponse  # noqa: PLC0415
    from django.urls import include, path  # noqa: PLC0415
    from django_eventstream import send_event  # type: ignore[import-untyped]  # noqa: PLC0415

    send = sync_to_async(send_event)

    async def publish(request: HttpRequest, count: int) -> HttpResponse:
        await _publish(request.path, lambda: send("prices", "message", DATA))
        return HttpResponse()

    global urlpatterns  # noqa: PLW0603  # where Django looks for them
    urlpatterns = [
        path("listen", include("django_eventstream.urls"), {"channels": ["prices"]}),
        path("publish/<int:count>", publish),
    ]
    app: Any = get_asgi_application()
    return cast("ASGIApp", app)


urlpatterns: list[Any] = []
