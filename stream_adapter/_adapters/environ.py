"""An ASGI scope as a WSGI environ (PEP 3333; ASGI HTTP 2.3)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from stream_adapter.types import Environ, Scope

from .file_wrapper import FileWrapper

__all__ = ["environ_of"]

_DEFAULT_PORTS = {"https": "443"}


def environ_of(scope: Scope, body: object) -> Environ:
    """Translate an http scope.

    Text of an environ is bytes decoded as latin-1, whatever they mean (PEP 3333, "Unicode Issues").

    Args:
        scope: the request, kept as `asgi.scope`.
        body: what becomes `wsgi.input`; it ends where the request's body does.
    """
    root = scope.get("root_path", "").rstrip("/").encode("utf-8", "surrogateescape").decode("latin-1")
    path = _path(scope).decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    scheme = scope.get("scheme", "http")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root,
        "PATH_INFO": path[len(root) :] if f"{path}/".startswith(f"{root}/") else path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": _DEFAULT_PORTS.get(scheme, "80"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,  # Werkzeug reads a body of unknown length only with this
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "asgi.scope": scope,
    }
    raw_path = scope.get("raw_path")
    if raw_path is not None:
        target: str = raw_path.decode("latin-1") + (f"?{query}" if query else "")
        environ["REQUEST_URI"] = environ["RAW_URI"] = target
    server = scope.get("server")
    if server is not None and server[1] is not None:  # else it is the path of a socket
        environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
    client = scope.get("client")
    if client is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    environ.update(_fields(scope.get("headers", ())))
    return environ


def _path(scope: Scope) -> bytes:
    """Return the path's bytes: those that were sent, unless an outer application has replaced the path."""
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    if raw is not None and unquote(raw) == path:
        return unquote_to_bytes(raw)
    return path.encode("utf-8", "surrogateescape")


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Return the headers by their CGI names, repeated ones joined (RFC 9110, 5.3; cookies: RFC 9113, 8.2.3)."""
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        if b"_" in name:
            continue  # in an environ it looks like the name with a hyphen, which a proxy may have checked
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        fields.setdefault(key, []).append(value.decode("latin-1"))
    if "HTTP_TRANSFER_ENCODING" in fields:
        fields.pop("CONTENT_LENGTH", None)  # the body is not as long as that says (RFC 9112, 6.3)
    return {key: ("; " if key == "HTTP_COOKIE" else ",").join(values) for key, values in fields.items()}
