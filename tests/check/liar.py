"""A server that sends whatever bytes it is given, over and over if that is what it is to do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TypeAlias

Answer: TypeAlias = bytes | Callable[[], Iterable[bytes]]


class Liar:
    """Answers each request with the bytes of its path, or with as many of an iterable as are taken, and then closes."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that the system chose."""
        port: int = self._listener.getsockname()[1]
        return port

    def url(self, path: str) -> str:
        """Return the URL of an answer."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def close(self) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            self.requests.append(request)
            answer = self.answers[request.split(b" ")[1].decode().removeprefix("/").partition("?")[0]]
            for part in [answer] if isinstance(answer, bytes) else answer():
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


@contextlib.contextmanager
def liar() -> Generator[Liar]:
    """Run one."""
    server = Liar()
    try:
        yield server
    finally:
        server.close()
