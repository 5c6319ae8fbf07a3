"""A client's transport to an ASGI application in this process, block by block."""

from __future__ import annotations

from typing import Any, Self

from stream_adapter._asgi_lifespan import Lifespan
from stream_adapter.types import ASGIApp, Scope

from ._asgi_exchange import ASGIExchange
from ._exchange import StreamTransport
from ._httpx import AnyRequest, AsyncTransport

__all__ = ["ASGIStreamTransport"]


class ASGIStreamTransport(StreamTransport[ASGIApp, ASGIExchange], AsyncTransport):
    """Send the requests of an async client (httpx2 or httpx) to an ASGI application, and stream its responses.

        async with httpx2.AsyncClient(transport=ASGIStreamTransport(app), base_url="http://testserver") as client:
            async with client.stream("GET", "/events") as response:
                async for line in response.aiter_lines():
                    ...

    The application waits while the test does not read. Closing the response is a disconnect, and returns when the
    application has returned. Entering the transport, directly or with its client, runs the application's lifespan.
    It works on asyncio only.
    """

    _lifespan: Lifespan | None = None

    async def __aenter__(self) -> Self:
        """Start the application's lifespan."""
        self._lifespan = Lifespan(self._app)
        await self._lifespan.start()
        return self

    async def aclose(self) -> None:
        """Close every response that is still open, and shut the application down."""
        try:
            for exchange in tuple(self._open):
                await exchange.end(self._final_timeout)
        finally:
            if self._lifespan is not None:
                await self._lifespan.stop()

    async def handle_async_request(self, request: AnyRequest) -> Any:
        """Call the application; return once it has started its response.

        Raises:
            ReadTimeout: of the client's library; the response did not start within the request's read timeout.
            Exception: what the application raised before that, with `raise_app_exceptions`.
        """
        exchange = ASGIExchange(request, self._close_timeout, raises=self._raise)
        self._open.add(exchange)
        exchange.call(self._app, self._scope(request), self._open.discard)
        try:
            return await exchange.response()
        except BaseException:
            await exchange.aclose()
            raise

    def _scope(self, request: AnyRequest) -> Scope:
        url = request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": self._root_path,
            "client": self._client,
            "server": (url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)),
            "state": {} if self._lifespan is None else self._lifespan.state.copy(),
        }
