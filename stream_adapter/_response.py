"""The response: a value. It does no I/O; `resolve` says what is really sent for one request, and edges send it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from functools import lru_cache
from typing import Any, Self, TypedDict, Unpack, cast, overload

from werkzeug.datastructures import Headers

from ._accept import clipped
from ._encode import check_charset
from ._headers import (
    add_defaults,
    add_safe_defaults,
    check_status,
    content_length,
    is_bodiless,
    make_headers,
    set_default,
    without_fields,
    without_hop_by_hop,
)
from ._hints import unknown_option
from ._limits import Limits, StreamSummary, check_seconds
from ._media_types import check_media_type, media_type_charset, with_charset
from ._pump import running_loop
from ._request import RequestHead
from ._resolved import Flow, Resolved, whole_body
from ._serve import asgi, wsgi
from ._source import RequestSource, Source
from ._source import is_stream as _is_iterator
from .errors import ContentLengthError, SourceError
from .formats import Auto, Format, Raw
from .formats._base import FormatEncoder
from .types import Chunk, Environ, Flush, HeadersInput, Receive, Scope, Send, StartResponse
from .types import Source as SourceInput

__all__ = ["Response", "ResponseOptions", "as_response", "checked_options", "is_stream", "options_of"]


class ResponseOptions(TypedDict, total=False):
    """The keywords of `Response`."""

    status_code: int
    headers: HeadersInput | None
    media_type: str | None
    charset: str
    strict: bool
    format: Format | None
    flush: Flush
    commit_after: float | None
    limits: Limits
    on_error: Callable[[BaseException], Chunk] | None
    on_close: Callable[[StreamSummary], object] | None
    description: SourceInput


_ANY_REQUEST = RequestHead()
_LIMITS = Limits()
_NOTHING = Source(None)
_auto = lru_cache(maxsize=256)(Auto)  # clients send few different Accepts, and none of them is long
_OPTIONS = frozenset(ResponseOptions.__annotations__)
_DEFAULTS: dict[str, Any] = {  # of the options that may be set later, as headers may
    "status_code": 200,
    "media_type": None,
    "charset": "utf-8",
    "strict": False,
    "format": None,
    "flush": "auto",
    "commit_after": None,
    "limits": _LIMITS,
    "on_error": None,
    "on_close": None,
}


class Response:
    r"""A streaming response: status, headers, and a source of chunks.

    It is a WSGI application (two arguments) and an ASGI application (three); `wsgi` and `asgi` are the same by name.

    Args:
        content: bytes or text, a mapping, an iterable or async iterable of chunks, an awaitable of one of these, a file
            object with a sync or async `read`.
        status_code: 200 to 599, for it is the final response.
        headers: a mapping (a list of values repeats the field) or pairs. They replace defaults.
        media_type: the Content-Type; text types get the charset. Bytes and text pass; values are framed as it says.
        charset: the encoding of text.
        strict: take bytes chunks only, and name every other in an error.
        format: how items are framed; None lets the media type, or else the first item, decide.
        flush: "item" sends every chunk on its own; "bulk" may fill a block first; "auto" sends what is ready together,
            and in the formats that are of use as a whole (JSON arrays, CSV) is "bulk".
        commit_after: seconds to wait for the first item before status and headers go out; None waits for it.
        limits: bounds in bytes, chunks and seconds.
        on_error: called with an exception that ends the stream after commit; returns a last chunk, or None.
        on_close: called with a StreamSummary when the source is closed.
        description: another name for `content`.

    Raises:
        SourceError: the content cannot be streamed; a generator function must be called first.
        TypeError: an option is unknown or of the wrong type, or both `content` and `description` are given.
        ValueError: an option has a value that is not allowed.
    """

    def __init__(self, content: SourceInput = None, **options: Unpack[ResponseOptions]) -> None:
        if "description" in options:
            if content is not None:
                raise TypeError("Response: content and description are two names for one thing; give one of them")
            content = options["description"]
        if isinstance(content, Response):
            raise SourceError("content: got a Response; return it as it is, or give it to stream_response")
        self._source = Source(content)  # first, for a serializer that goes through attributes meets its error first
        self._given: dict[str, Any] = {name: value for name, value in options.items() if name != "description"}
        if "headers" in options:
            self._given["headers"] = tuple(make_headers(options["headers"]))  # read once: it may be an iterator
        self._wrap_encoder: Callable[[FormatEncoder], FormatEncoder] | None = None
        self._check()

    def _check(self) -> None:
        given = self._given
        unknown = given.keys() - _OPTIONS
        if unknown:
            raise unknown_option(min(unknown), _OPTIONS)
        self.status_code: int = check_status(given.get("status_code", 200))
        self.headers: Headers = make_headers(given.get("headers"))
        self.media_type: str | None = given.get("media_type")
        if self.media_type is not None:
            check_media_type(self.media_type)
        self.charset: str = self._check_charset()
        self.format: Format | None = given.get("format")
        if self.format is not None and not isinstance(self.format, Format):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"format: expected a stream_adapter.formats.Format, got {type(self.format).__name__}")
        self.strict: bool = given.get("strict", False)
        if not isinstance(self.strict, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"strict: expected True or False, got {type(self.strict).__name__}")
        if self.strict and self.format is not None and self.format.frames:
            raise ValueError(
                f"strict: {type(self.format).__name__} encodes its items itself; strict is for byte streams"
            )
        self.flush: Flush = given.get("flush", "auto")
        if self.flush not in {"auto", "item", "bulk"}:
            raise ValueError(f"flush: expected 'auto', 'item' or 'bulk', got {self.flush!r}")
        self.commit_after: float | None = given.get("commit_after")
        check_seconds("commit_after", self.commit_after, zero=True)
        self.limits: Limits = given.get("limits", _LIMITS)
        if not isinstance(self.limits, Limits):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"limits: expected Limits(…), got {type(self.limits).__name__}")
        for name in ("on_error", "on_close"):
            if given.get(name) is not None and not callable(given[name]):
                raise TypeError(f"{name}: expected a function, got {type(given[name]).__name__}")
        self.on_error: Callable[[BaseException], Chunk] | None = given.get("on_error")
        self.on_close: Callable[[StreamSummary], object] | None = given.get("on_close")

    def _check_charset(self) -> str:
        content_type = self.headers.get("Content-Type", self.media_type)
        declared = media_type_charset(content_type) if content_type else None
        charset = check_charset(self._given.get("charset", declared or "utf-8"))
        if declared and check_charset(declared) != charset:
            raise ValueError(f"charset: {charset} contradicts the media type {content_type!r}")
        return charset

    def with_defaults(self, **defaults: Unpack[ResponseOptions]) -> Self:
        """Return this response with options filled in that it was not given; its headers replace those of `defaults`.

        What was set on it since it was made counts as given. The two share one source, so only one of them can be
        streamed.
        """
        if not defaults:
            return self
        own = self._own_options()
        merged: dict[str, Any] = {**defaults, **own}
        if "format" in own or "media_type" in own or "Content-Type" in self.headers:
            merged |= {name: own.get(name) for name in ("format", "media_type")}
            if isinstance(merged["format"], Format) and merged["format"].frames and "strict" not in own:
                merged.pop("strict", None)
        declared = self.headers.get("Content-Type", self.media_type)
        if "charset" not in self._given and declared and media_type_charset(declared):
            merged.pop("charset", None)
        headers = make_headers(defaults.get("headers"))
        for name in {name.lower() for name, _ in self.headers}:
            headers.remove(name)
        merged["headers"] = (*headers, *self.headers)
        filled = copy(self)  # of the same class, and with the same source
        filled._given = merged  # noqa: SLF001  # our own class
        filled._check()  # noqa: SLF001  # our own class
        return filled

    def _is_set(self, name: str) -> bool:
        return name in self._given or getattr(self, name) != _DEFAULTS[name]

    def _own_options(self) -> dict[str, Any]:
        """Return the options that it was given, and those that were set since; not its headers."""
        return {name: getattr(self, name) for name in _DEFAULTS if self._is_set(name)}

    def with_encoder(self, wrap: Callable[[FormatEncoder], FormatEncoder]) -> Self:
        """Return this response with its items encoded by what `wrap` makes of the format's encoder.

        A framework's integration holds items to a contract by it. Bytes that `strict` asks for and files are sent as
        they are. The two share one source, so only one of them can be streamed.
        """
        wrapped = copy(self)
        wrapped._wrap_encoder = wrap  # noqa: SLF001  # our own class
        return wrapped

    def resolve(self, head: RequestHead = _ANY_REQUEST, *, text_media_type: str = "text/plain") -> Resolved:  # frozen
        """Say what is sent for one request. The source is taken: the result must be opened and closed.

        Args:
            head: the request's method and headers.
            text_media_type: what unnamed text is sent as, where a framework has a custom of its own.

        Raises:
            StreamConsumedError: the source can be read once and was.
            ChunkEncodingError: a body of one chunk cannot be encoded.
            ContentLengthError: it is not as long as the Content-Length says.
            ValueError: the Content-Length is not a number, or a charset cannot be used.
        """
        format = self._format(head, text_media_type)
        encoder = format.encoder(strict=self.strict, charset=self.charset)
        if self._wrap_encoder is not None and not self.strict:
            encoder = self._wrap_encoder(encoder)
        status = 204 if format.is_over(head) else self.status_code
        own = without_hop_by_hop(self.headers)
        promised = content_length(own)
        source = self._source.take()
        begins_at_once = isinstance(source.content, RequestSource)
        if begins_at_once:
            source = Source(source.content.for_request(head))
        bodiless = is_bodiless(status)
        body = whole_body(_NOTHING if bodiless else source, encoder)
        undecided = isinstance(format, Auto) and body is None
        headers = own if undecided else self._headers_for(encoder.settle(), own, has_body=not bodiless)
        if body is not None and not bodiless:
            if promised not in {None, len(body)} and head.method != "HEAD":
                raise ContentLengthError(promised or 0, len(body), complete=True)
            set_default(headers, "Content-Length", str(len(body)))
        if bodiless:
            headers = without_fields(headers, {"content-length", "content-type"})
        if is_bodiless(status, head.method):
            body = b""
        flow = Flow(
            encoder=encoder,
            limits=self.limits,
            flush=("bulk" if format.bulk else "auto") if self.flush == "auto" else self.flush,
            # what begins at once may also be refused at once: its first item, or its refusal, is waited for
            commit_after=(
                self.commit_after if self._is_set("commit_after") else None if begins_at_once else format.commit_after
            ),
            on_error=self.on_error,
            on_close=self.on_close,
            head_of=(lambda settled: (status, self._headers_for(settled, own))) if undecided else None,
            default_limits=not self._is_set("limits"),
            keeps_length=True,
        )
        return Resolved(status, headers, source, flow, body, request=head)

    async def aresolve(self, head: RequestHead = _ANY_REQUEST, *, text_media_type: str = "text/plain") -> Resolved:
        """Say the same on an event loop, which is not blocked: `resolve` does no I/O, but that of a subclass may.

        Raises:
            UnsupportedError: no asyncio event loop runs: under trio nothing is streamed.
        """
        running_loop()
        return self.resolve(head, text_media_type=text_media_type)

    def _format(self, head: RequestHead, text_media_type: str) -> Format:
        if self.format is not None:
            return self.format
        content_type = self.headers.get("Content-Type", self.media_type)
        if content_type is not None:
            return Raw(content_type)
        return _auto(text_media_type, clipped(head.headers.get("accept")))

    def _headers_for(
        self, format: Format, own: list[tuple[str, str]], *, has_body: bool = True
    ) -> list[tuple[str, str]]:
        headers = list(own)
        named = self.media_type if self.format is not None else None
        set_default(headers, "Content-Type", with_charset(named or format.media_type, self.charset))
        add_defaults(headers, format.headers)
        if has_body:  # else a 304 would change what a cache has stored
            add_safe_defaults(headers)
        return headers

    def wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve it as a WSGI application (PEP 3333); the first item is pulled inside this call."""
        return wsgi.serve(self, environ, start_response)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it as an ASGI 3.0 application."""
        await asgi.serve(self, scope, receive, send)

    @overload
    def __call__(self, environ: Environ, start_response: StartResponse, /) -> Iterable[bytes]: ...
    @overload
    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> Any: ...
    def __call__(self, *arguments: Any) -> Any:
        """Serve it: two arguments are WSGI's, three are ASGI's."""
        if len(arguments) == 2:
            return self.wsgi(*arguments)
        if len(arguments) == 3:
            return self.asgi(*arguments)
        raise TypeError(
            f"Response takes (environ, start_response) or (scope, receive, send), got {len(arguments)} arguments"
        )

    def __repr__(self) -> str:
        return f"<Response {self.status_code} of {type(self._source.content).__name__}>"


def is_stream(value: object) -> bool:
    """Say whether an app-wide adapter streams what a view returned: a Response, or an iterator, sync or async.

    A list, tuple, dict or text is the framework's own.
    """
    return isinstance(value, Response) or _is_iterator(value)


def as_response(content: SourceInput, **defaults: Unpack[ResponseOptions]) -> Response:
    """Make a Response of content; one that is a Response already has only what it was not given filled in."""
    return content.with_defaults(**defaults) if isinstance(content, Response) else Response(content, **defaults)


def options_of(response: Response) -> ResponseOptions:
    """Return the options that a response was given, in a form in which many others can be given them."""
    own = response._own_options()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # our own class
    return cast("ResponseOptions", {**own, "headers": tuple(response.headers)} if response.headers else own)


def checked_options(**options: Unpack[ResponseOptions]) -> ResponseOptions:
    """Return options that are given once and serve for many responses: checked, and with iterators read.

    Raises:
        TypeError: an option is unknown or of the wrong type.
        ValueError: an option has a value that is not allowed.
    """
    return options_of(Response(**options))
