"""One server, on several ports.

The page holds twelve streams open, and over HTTP/1.1 a browser opens at most six connections to one origin. So each
framework has, besides its path on the address that is printed, a port of its own, from which the page streams.
"""

from __future__ import annotations

import contextlib
import socket
import sys

import uvicorn

from .app import FRAMEWORKS, make_app

__all__ = ["serve"]

PORT = 8000


def serve(host: str, port: int | None) -> None:
    """Serve the demo until it is interrupted.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 for one of the system's; None for 8000, or if that is taken, one of the system's.

    Raises:
        OSError: the address cannot be listened on.
    """
    listener = _listen_somewhere(host) if port is None else _listen(host, port)
    others = {name: _listen(host, 0) for name in FRAMEWORKS}
    app = make_app({name: other.getsockname()[1] for name, other in others.items()})
    config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=5)
    sys.stdout.write(f"The demo is at {_url(listener)}  (Ctrl-C stops it)\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config).run([listener, *others.values()])


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up on every client, and so have every source closed: uvicorn waits for streams, and these do not end."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


def _listen_somewhere(host: str) -> socket.socket:
    try:
        return _listen(host, PORT)
    except OSError:
        return _listen(host, 0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # every address, of which this is the one at hand
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104  # as above
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
