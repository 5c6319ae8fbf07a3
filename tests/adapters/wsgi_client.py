"""A scripted WSGI server, in process, checked by `wsgiref.validate`: what a test sends, and what came back."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from stream_adapter.types import Environ, ExcInfo, WSGIApp

__all__ = ["Reply", "environ_for", "open_reply", "reply_of"]


def environ_for(body: bytes | None = None, **given: Any) -> Environ:
    """Make an environ as sparse as the protocol allows, and fill in what is given."""
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SCRIPT_NAME": "", "QUERY_STRING": ""}
    if body is not None:
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.update(given)
    setup_testing_defaults(environ)
    return environ


class Reply:
    """A response that is under way.

    Attributes:
        status: of `start_response`; None before it is called.
    """

    def __init__(self, app: WSGIApp, environ: Environ) -> None:
        self.status: str | None = None
        self.headers: list[tuple[str, str]] = []
        self._body: Any = validator(app)(environ, self._start_response)  # its iterator's close is not in its type
        self.blocks: Iterator[bytes] = iter(self._body)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        del exc_info
        self.status, self.headers = status, headers
        return lambda _: None

    def close(self) -> None:
        """Close the response, as a server does whatever became of it."""
        self._body.close()


@contextmanager
def open_reply(app: WSGIApp, environ: Environ | None = None) -> Generator[Reply]:
    """Call, and close at the end."""
    reply = Reply(app, environ_for() if environ is None else environ)
    try:
        yield reply
    finally:
        reply.close()


def reply_of(app: WSGIApp, environ: Environ | None = None) -> tuple[str | None, dict[str, str], bytes]:
    """Return status, headers and the whole body."""
    with open_reply(app, environ) as reply:
        body = b"".join(reply.blocks)
    return reply.status, dict(reply.headers), body
