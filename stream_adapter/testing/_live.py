"""A real server in this process, on a port that the system chooses, for an application of either protocol."""

from __future__ import annotations

import socket
import threading
from typing import Protocol, Self, cast

from stream_adapter.types import ASGIApp, WSGIApp

from ._clients import is_asgi
from ._location import thread_location

__all__ = ["LiveServer", "Runner"]

_START = 10.0  # seconds for the application to start
_STOP = 5.0  # seconds for it to return after its connections are cut


class Runner(Protocol):
    """A server of one protocol."""

    def run(self) -> None:
        """Serve until stopped, in a thread of its own.

        Raises:
            Exception: the application did not start.
        """
        ...

    def wait_started(self, timeout: float) -> bool:
        """Wait until the application has started or failed to. Return False at the timeout."""
        ...

    def stop(self) -> None:
        """Stop it, from another thread: cut every connection, then wait for what still runs."""
        ...


class LiveServer:
    """Serve an application on 127.0.0.1 while the block runs: by uvicorn if it is ASGI, else by Werkzeug, threaded.

        with LiveServer(app) as server:
            httpx2.get(f"{server.url}/")

    The end of the block stops it and cuts the connections of open streams, so that their sources are closed.

    Args:
        app: a WSGI or an ASGI application.

    Attributes:
        port: where it listens.
    """

    def __init__(self, app: WSGIApp | ASGIApp) -> None:
        self._app = app
        self.port: int = 0
        self._serving: tuple[Runner, threading.Thread] | None = None

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start to serve. The server of the fixture `live_server` serves already; its `with` changes nothing.

        Raises:
            RuntimeError: the application's start-up failed.
        """
        if self._serving is not None:
            return self
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = listener.getsockname()[1]
        runner = _runner(self._app, listener)
        thread = threading.Thread(target=runner.run, name=f"live server {self.port}", daemon=True)
        thread.start()
        if not runner.wait_started(_START):
            where = thread_location(thread)
            runner.stop()
            raise RuntimeError(f"the application did not start within {_START} s. {where}")
        self._serving = runner, thread
        return self

    def __exit__(self, *_: object) -> None:
        """Stop. Does nothing the second time.

        Raises:
            AssertionError: the application continues although its connections are cut.
        """
        if self._serving is None:
            return
        (runner, thread), self._serving = self._serving, None
        runner.stop()
        thread.join(_STOP)
        if thread.is_alive():
            raise AssertionError(
                f"the server was still running {_STOP} s after its clients were cut off. {thread_location(thread)}"
            )


def _runner(app: WSGIApp | ASGIApp, listener: socket.socket) -> Runner:
    if is_asgi(app):
        from ._uvicorn import UvicornRunner  # noqa: PLC0415  # needed for ASGI only

        return UvicornRunner(app, listener)
    from ._werkzeug import WerkzeugRunner  # noqa: PLC0415  # needed for WSGI only

    return WerkzeugRunner(cast("WSGIApp", app), listener)
