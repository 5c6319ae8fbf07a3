"""One server, on several ports.

The page holds up to sixteen streams open, and over HTTP/1.1 a browser opens at most six connections to one origin. So
each framework, and each stream that stays, has a port of its own beside the address that is printed.
"""

from __future__ import annotations

import logging
import socket
import sys
import traceback
from collections import deque
from typing import Any

import uvicorn

from .app import PORTS, make_app

__all__ = ["listen", "serve"]

PORT = 8000


def listen(host: str, port: int | None) -> socket.socket:
    """Open the address of the page.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 for one of the system's; None for 8000, or if that is taken, one of the system's.

    Raises:
        OSError: the address cannot be listened on.
    """
    if port is not None:
        return _listen(host, port)
    try:
        return _listen(host, PORT)
    except OSError:
        return _listen(host, 0)


def serve(listener: socket.socket) -> None:
    """Serve the demo until it is interrupted.

    Args:
        listener: where the page is; what `listen` returned.
    """
    host = listener.getsockname()[0]
    others = {name: _listen(host, 0) for name in PORTS}
    app = make_app({name: other.getsockname()[1] for name, other in others.items()})
    logging.basicConfig(handlers=[_log()])
    config = uvicorn.Config(app, lifespan="on", log_config=None, log_level="warning", timeout_graceful_shutdown=5)
    _Server(config, _url(listener)).run([listener, *others.values()])


def _log() -> logging.Handler:
    """Return a handler that says each failure once, and in one line: the page has a stream that is made to fail."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(levelname)s: %(message)s"))
    handler.addFilter(_Once())
    return handler


class _OneLine(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802  # the name that logging calls
        """Return what was raised, without its traceback."""
        return "".join(traceback.format_exception_only(ei[1])).strip()


class _Once(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._logged: deque[BaseException] = deque(maxlen=16)  # several streams may fail at a time

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for what the server logs of a failure that the library has logged."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        is_known = any(error is logged for logged in self._logged)
        self._logged.append(error)
        return not is_known


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def main_loop(self) -> None:
        """Print the address once the server answers, and Ctrl-C shuts it down: before, it only ends the process."""
        sys.stdout.write(f"The demo is at {self._url}  (Ctrl-C stops it)\n")
        sys.stdout.flush()
        await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close each connection, and so each source: uvicorn waits for streams to end, and these do not."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # every address; the page is opened on this machine
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104  # as above
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
