"""What a response must know of the request, and no more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs

from ._types import Environ, Scope

__all__ = ["RequestHead", "RequestHeaders", "valid_event_id"]

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class RequestHeaders(Protocol):
    """What is asked of a request's headers."""

    def get(self, name: str, /) -> str | None:
        """Return the field's value, by its lower-case name; None if it is absent."""
        ...


class _NoHeaders:
    def get(self, name: str, /) -> None:
        del name


_NO_HEADERS = _NoHeaders()


class _EnvironHeaders:
    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def get(self, name: str, /) -> str | None:
        key = name.upper().replace("-", "_")
        value: str | None = self._environ.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}")
        return value


class _ScopeHeaders:
    def __init__(self, scope: Scope) -> None:
        self._pairs: list[tuple[bytes, bytes]] = list(scope.get("headers", ()))

    def get(self, name: str, /) -> str | None:
        wanted = name.lower().encode("latin-1")
        values = [value.decode("latin-1") for key, value in self._pairs if key.lower() == wanted]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a response must know of the request.

    Args:
        method: in capitals.
        headers: looked up with `get`, by lower-case name.
        query: the query string, still encoded.
    """

    method: str = "GET"
    headers: RequestHeaders = _NO_HEADERS
    query: str = ""

    @classmethod
    def from_environ(cls, environ: Environ) -> RequestHead:
        """Make it from a WSGI environ (PEP 3333)."""
        return cls(environ.get("REQUEST_METHOD", "GET"), _EnvironHeaders(environ), environ.get("QUERY_STRING", ""))

    @classmethod
    def from_scope(cls, scope: Scope) -> RequestHead:
        """Make it from an ASGI http scope."""
        return cls(scope.get("method", "GET"), _ScopeHeaders(scope), scope.get("query_string", b"").decode("latin-1"))

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that a client which reconnects has seen (WHATWG HTML, 9.2.4).

        It is the Last-Event-ID header, which is UTF-8, or else the query parameter `last_event_id`, for clients that
        cannot set headers. An id that is empty, no text, or has a control character is none that an event had: it
        counts as absent, so that such a client starts anew instead of being turned away.
        """
        header = self.headers.get("last-event-id")
        try:
            given = header and header.encode("latin-1").decode()  # a header arrives decoded as latin-1
        except UnicodeError:
            given = None
        return valid_event_id(given) or valid_event_id(parse_qs(self.query).get("last_event_id", [""])[0])


def valid_event_id(value: str | None) -> str | None:
    """Return `value` if a client can have it for the id of an event that it has seen, and can say so in a header."""
    return None if not value or _CONTROLS.search(value) else value
