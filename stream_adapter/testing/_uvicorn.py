"""uvicorn in a thread; stopping it does not wait for its clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

import uvicorn

from stream_adapter.types import ASGIApp

__all__ = ["UvicornRunner"]

_GRACE = 3  # seconds for the application after its connections are cut; then uvicorn cancels it


class UvicornRunner:
    """Serve an ASGI application, and run its lifespan.

    Args:
        app: the application.
        listener: the socket, which it closes.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            log_config=None,  # it logs to the test's own logging
            access_log=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._listener = listener
        self._settled = threading.Event()
        self._server = _Server(config, on_started=self._settled.set)

    def run(self) -> None:
        """Serve until stopped."""
        try:
            with contextlib.suppress(SystemExit):  # it reports a failed startup so
                self._server.run([self._listener])
        finally:
            self._listener.close()
            self._settled.set()

    def wait_started(self, timeout: float) -> bool:
        """Wait until the application has started.

        Raises:
            RuntimeError: its startup failed.
        """
        settled = self._settled.wait(timeout)
        if settled and not self._server.started:
            raise RuntimeError("the application's startup failed; see the log uvicorn.error")
        return settled

    def stop(self) -> None:
        """Stop the server, from another thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in tuple(self.server_state.connections):
            transport: asyncio.Transport = connection.transport
            transport.abort()
        await super().shutdown(sockets)
