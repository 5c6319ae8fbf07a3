"""What is really sent for one request: the value between a response and the edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ._limits import Limits, StreamSummary
from ._source import Kind, Source
from ._types import Chunk, Environ, Flush, Scope
from .formats import Format
from .formats._base import FormatEncoder

__all__ = ["Flow", "RequestHead", "RequestHeaders", "Resolvable", "Resolved", "whole_body"]


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
    """

    method: str = "GET"
    headers: RequestHeaders = _NO_HEADERS

    @classmethod
    def from_environ(cls, environ: Environ) -> RequestHead:
        """Make it from a WSGI environ (PEP 3333)."""
        return cls(environ.get("REQUEST_METHOD", "GET"), _EnvironHeaders(environ))

    @classmethod
    def from_scope(cls, scope: Scope) -> RequestHead:
        """Make it from an ASGI http scope."""
        return cls(scope.get("method", "GET"), _ScopeHeaders(scope))


@dataclass(frozen=True, slots=True)
class Flow:
    """How the items of a resolved response travel.

    Attributes:
        head_of: gives status and headers once the first item has decided the format; None if they are final already.
    """

    encoder: FormatEncoder
    limits: Limits
    flush: Flush
    commit_after: float | None
    on_error: Callable[[BaseException], Chunk] | None
    on_close: Callable[[StreamSummary], object] | None
    head_of: Callable[[Format], tuple[int, list[tuple[str, str]]]] | None

    @property
    def keeps_alive(self) -> bool:
        """Whether the format has something to say while the source is silent."""
        return self.encoder.format.keepalive is not None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is sent for one request.

    Attributes:
        status: the status code.
        headers: pairs of name and value; if no format is named, without those that the first item decides.
        source: what the body is made of, taken: whoever has this must have it closed.
        flow: how it is encoded, bounded and reported.
        body: the whole body, where it is known; None for a stream.
    """

    status: int
    headers: list[tuple[str, str]]
    source: Source
    flow: Flow
    body: bytes | None


class Resolvable(Protocol):
    """What an edge asks of a response."""

    def resolve(self, head: RequestHead = ..., *, text_media_type: str = ...) -> Resolved:
        """Say what is sent for one request."""
        ...


def whole_body(source: Source, encoder: FormatEncoder) -> bytes | None:
    """Return the body of a source of one chunk, or none; None for a stream.

    Raises:
        ChunkEncodingError: the chunk cannot be encoded.
    """
    if source.kind is not Kind.ONE:
        return None
    item = source.content
    if item is None:
        encoder.settle()
        return b""
    try:
        chunk = encoder.table[type(item)](item)
        return encoder.settle().prefix + chunk + encoder.finish()
    except Exception as error:
        raise encoder.explain(error, item, 0) from error
