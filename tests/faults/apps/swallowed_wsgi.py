"""Plain WSGI behind what catches an exception of a body and goes on: Werkzeug's debugger, and a middleware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from werkzeug.debug import DebuggedApplication

from stream_adapter.types import Environ, StartResponse

from .plain_wsgi import app

debugged = DebuggedApplication(app)


class Quiet:
    """End a body that fails as if it were complete."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        self.close = getattr(body, "close", object)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception:
            return


def swallowing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return Quiet(app(environ, start_response))
