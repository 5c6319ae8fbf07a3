"""A server whose answers trickle: one line, and the second after a test has read the first."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.gate import BOUND

__all__ = ["LINES", "Upstream", "upstream"]

LINES = (b"first\n", b"second\n")


class Upstream:
    """What a test sees of it.

    Attributes:
        url: where it is; `/length` is answered with a Content-Length, `/close` is ended by the close, `/gzip`
            is in chunks and compressed, anything else in chunks.
        had_first: set by the test, upon which the second line is sent.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.had_first = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: Upstream

    def do_GET(self) -> None:
        chunked = self.path not in {"/length", "/close"}
        self.send_response(200)
        self.send_header("Connection", "close")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif self.path == "/length":
            self.send_header("Content-Length", str(sum(map(len, LINES))))
        if self.path == "/gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        deflate = zlib.compressobj(wbits=31)
        for line in LINES:
            if self.path == "/gzip":
                line = deflate.compress(line) + deflate.flush(zlib.Z_SYNC_FLUSH)  # noqa: PLW2901
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line) if chunked else line)
            self.wfile.flush()
            if not self.seen.had_first.wait(BOUND):
                return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def upstream() -> Generator[Upstream]:
    """Serve, for as long as the block lasts."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.seen = Upstream(server.server_address[1])  # type: ignore[attr-defined]  # the class made here
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield handler.seen  # type: ignore[attr-defined]  # as above
        finally:
            handler.seen.had_first.set()  # type: ignore[attr-defined]  # as above
            server.shutdown()
            thread.join()
