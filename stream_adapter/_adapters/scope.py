"""A WSGI environ as an ASGI scope (ASGI HTTP 2.4; PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from stream_adapter.types import Environ, Scope

__all__ = ["scope_of"]

_DEFAULT_PORTS = {"https": 443}


def scope_of(environ: Environ, state: dict[str, Any]) -> Scope:
    """Translate an environ.

    The version is 2.4: `send` raises after a disconnect. So an application need not wait in `receive` during its
    response, which would read the rest of the body. No extension is offered, because WSGI supports none of them.

    Args:
        environ: the request, kept as `wsgi_environ`.
        state: of the application's lifespan.
    """
    scheme = environ.get("wsgi.url_scheme", "http")
    root = environ.get("SCRIPT_NAME", "").encode("latin-1")
    path = root + environ.get("PATH_INFO", "").encode("latin-1")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": environ.get("SERVER_PROTOCOL", "").partition("/")[2] or "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": scheme,
        "path": path.decode("utf-8", "replace"),
        "raw_path": _raw_path(environ, path),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": root.decode("utf-8", "replace"),
        "headers": list(_headers(environ)),
        # on a Unix socket gunicorn takes both from the Host field, so a client controls them
        "server": (environ["SERVER_NAME"], _port(environ.get("SERVER_PORT"), _DEFAULT_PORTS.get(scheme, 80))),
        "client": None,
        "state": dict(state),
        "extensions": {},
        "wsgi_environ": environ,
    }
    if environ.get("REMOTE_ADDR"):
        scope["client"] = environ["REMOTE_ADDR"], _port(environ.get("REMOTE_PORT"), 0)
    return scope


def _port(given: object, default: int) -> int:
    """Return a port, which is text in an environ; `default` if it is invalid."""
    text = str(given)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else default


def _raw_path(environ: Environ, path: bytes) -> bytes:
    """Return the path as it was sent, if the server has it and no application has replaced it; else quote it."""
    sent: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    raw = sent.partition("?")[0].encode("latin-1", "replace")
    return raw if unquote_to_bytes(raw) == path else quote(path).encode()


def _headers(environ: Environ) -> Iterator[tuple[bytes, bytes]]:
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    for key, value in environ.items():
        if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = key
            if not value:  # some servers always set them
                continue
            if is_chunked and key == "CONTENT_LENGTH":  # the body is not as long as that says (RFC 9112, 6.3)
                continue
        elif key.startswith("HTTP_") and key not in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}:
            name = key[5:]
        else:
            continue
        yield name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1")
