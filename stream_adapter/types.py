"""Type aliases and protocols of the public functions, for annotations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Literal, Protocol, TypeAlias

__all__ = [
    "ASGIApp",
    "Chunk",
    "Environ",
    "ExcInfo",
    "Flush",
    "HeadersInput",
    "JSONDumps",
    "Message",
    "Reason",
    "Receive",
    "Scope",
    "Send",
    "Source",
    "StartResponse",
    "WSGIApp",
]

Chunk: TypeAlias = object
"""One item of a source: any object. The format defines what it may be: see docs/reference/chunks.md."""

Source: TypeAlias = object
"""What a body can be: any object, which is checked when the response is made. It is bytes, text, a mapping or another
JSON value, an iterable or async iterable of chunks, an awaitable of one of these, or a file."""

HeadersInput: TypeAlias = Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str]]
"""Response headers: a mapping (a list of values repeats the field) or pairs."""

JSONDumps: TypeAlias = Callable[[Any], bytes | str]
"""What may take the JSON encoder's place: value → JSON, as text or UTF-8."""

Flush: TypeAlias = Literal["auto", "item", "bulk"]
Reason: TypeAlias = Literal[
    "done", "disconnect", "error", "idle_timeout", "total_timeout", "send_timeout", "shutdown", "not_started"
]

# PEP 3333
Environ: TypeAlias = dict[str, Any]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class StartResponse(Protocol):
    """The callable a WSGI server hands to its application."""

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Take the status line and the headers."""
        ...


WSGIApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

# ASGI 3.0
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
