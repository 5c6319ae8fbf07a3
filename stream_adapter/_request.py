"""The head of a request, as far as a response needs it.

Clients write all of it. A field that is longer than `LONGEST_FIELD` counts as absent: what is asked of a request here
(preferences, conditions, ranges, where to resume) may always be ignored, so a client that sends more gets the answer to
a request without that field.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from .types import Environ, Scope

__all__ = ["LONGEST_FIELD", "RequestHead", "RequestHeaders", "valid_event_id"]

LONGEST_FIELD = 8192  # characters of a field that is looked at; servers take 8 KiB (gunicorn) up to any length

_PARAMETER = "last_event_id="
_NAMES_CLIENT = ("x-forwarded-for", "forwarded", "x-forwarded-port", "x-real-ip", "x-client-ip")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class RequestHeaders(Protocol):
    """The headers of a request, by name."""

    def get(self, name: str, /) -> str | None:
        """Return the field's value, by its lower-case name; None if it is absent, or too long to be looked at."""
        ...


class _NoHeaders:
    def get(self, name: str, /) -> None:
        del name


_NO_HEADERS = _NoHeaders()


class _EnvironHeaders:
    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def __contains__(self, name: str) -> bool:
        return self._value(name) is not None

    def get(self, name: str, /) -> str | None:
        value = self._value(name)
        return None if value is None or len(value) > LONGEST_FIELD else value

    def _value(self, name: str) -> str | None:
        key = name.upper().replace("-", "_")
        value: str | None = self._environ.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}")
        return value


class _ScopeHeaders:
    __slots__ = ("_pairs",)

    def __init__(self, scope: Scope) -> None:
        pairs = scope.get("headers", ())  # an iterable (ASGI 3.0); servers have a list, which a silent stream shares
        self._pairs: list[tuple[bytes, bytes]] = pairs if isinstance(pairs, list) else list(pairs)

    def __contains__(self, name: str) -> bool:
        return bool(self._values(name))

    def get(self, name: str, /) -> str | None:
        values = self._values(name)
        if not values or sum(map(len, values)) > LONGEST_FIELD:
            return None
        return b", ".join(values).decode("latin-1")

    def _values(self, name: str) -> list[bytes]:
        wanted = name.lower().encode("latin-1")
        return [value for key, value in self._pairs if key.lower() == wanted]


@dataclass(slots=True, unsafe_hash=True)  # not frozen, which takes four times as long to make, for each request
class RequestHead:
    """The head of a request, as far as a response needs it. It is not changed once it is made.

    Args:
        method: in capitals.
        headers: looked up with `get`, by lower-case name.
        query: the query string, still encoded.
        path: decoded, with what the application is mounted at; for the log.
        client: its address, where the server names it with its port and the connection carries nothing else.
        is_http_1_0: whether it came by HTTP/1.0, which has no chunks. Only an ASGI scope is asked.
    """

    method: str = "GET"
    headers: RequestHeaders = _NO_HEADERS
    query: str = ""
    path: str = ""
    client: tuple[str, int] | None = None
    is_http_1_0: bool = False

    @classmethod
    def from_environ(cls, environ: Environ) -> RequestHead:
        """Make it from a WSGI environ (PEP 3333)."""
        method, query = environ.get("REQUEST_METHOD", "GET"), environ.get("QUERY_STRING", "")
        client = _client_of((environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")))
        return cls(method, _EnvironHeaders(environ), query, _path_of(environ), client)

    @classmethod
    def from_scope(cls, scope: Scope) -> RequestHead:
        """Make it from an ASGI http scope."""
        query = scope.get("query_string", b"").decode("latin-1")
        version = scope.get("http_version", "1.1")
        # over HTTP/2 a connection moves though one of its streams is stalled: it tells nothing of this client
        client = _client_of(scope.get("client")) if version.startswith("1") else None
        method, path = scope.get("method", "GET"), scope.get("path", "")
        is_http_1_0 = version in {"1.0", "1"}  # granian's is "1"
        return cls(method, _ScopeHeaders(scope), query, path, client, is_http_1_0)

    @property
    def peer(self) -> tuple[str, int] | None:
        """`client`, if it is the other end of the connection: not where a field may have named it.

        A server that believes `X-Forwarded-For` takes the address from there, with a port if the client wrote one. It
        may be that of any connection of the process, such as another client's.
        """
        return None if any(map(self.has_field, _NAMES_CLIENT)) else self.client

    def has_field(self, name: str) -> bool:
        """Return True if the request has a field of this lower-case name, also one too long to be looked at."""
        return self.headers.get(name) is not None or (isinstance(self.headers, Container) and name in self.headers)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that a client which reconnects has seen (WHATWG HTML, 9.2.4).

        It is the Last-Event-ID header, which is UTF-8, or else the query parameter `last_event_id`, for clients that
        cannot set headers. An id that is empty, not text, too long, or has a control character is not one that an event
        had: it counts as absent, so that such a client starts from the beginning instead of being turned away.
        """
        header = self.headers.get("last-event-id")
        if header is not None:
            header = header.strip(" \t")  # around a field's value; some servers leave it there (RFC 9110, 5.5)
        return _event_id(header) or _event_id(self._last_event_id_of_query())

    @property
    def cursor(self) -> str | None:
        """`last_event_id`; "" if the client sent one that no event can have had; None if it sent none.

        A broker's stream must not begin as if the id was absent: events would be lost without a sign.
        """
        valid = self.last_event_id
        if valid is not None:
            return valid
        sent = self.headers.get("last-event-id")
        if sent is None and self.has_field("last-event-id"):
            return ""  # it is there, and too long to be looked at
        in_query = any(part.startswith(_PARAMETER) and len(part) > len(_PARAMETER) for part in self.query.split("&"))
        return "" if sent or in_query else None

    def _last_event_id_of_query(self) -> str | None:
        if _PARAMETER not in self.query:
            return None
        values = (part.removeprefix(_PARAMETER) for part in self.query.split("&") if part.startswith(_PARAMETER))
        value = next(filter(None, values), "")
        # a character of an id is sent as up to three
        return None if len(value) > 3 * LONGEST_FIELD else unquote(value.replace("+", " "), "latin-1")


def _path_of(environ: Environ) -> str:
    """Return the path, whose bytes an environ has decoded as latin-1 (PEP 3333); Django's has it as text already."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode()
    except UnicodeError:
        return path


def _client_of(address: Sequence[Any] | None) -> tuple[str, int] | None:
    """Return an address of the form that sockets have; None for a Unix socket's, and one that a proxy has named."""
    if not address or not address[1]:
        return None
    try:
        return str(address[0]), int(address[1])  # granian's port is text, as an environ's is
    except ValueError:
        return None


def _event_id(given: str | None) -> str | None:
    """Return the id in a field or parameter, which arrives decoded as latin-1 and is UTF-8."""
    try:
        return valid_event_id(given and given.encode("latin-1").decode())
    except UnicodeError:
        return None


def valid_event_id(value: str | None) -> str | None:
    """Return `value` if it can be an event id that a client sends in a header."""
    return None if not value or len(value) > LONGEST_FIELD or _CONTROLS.search(value) else value
