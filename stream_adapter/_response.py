"""The response: a value. It does no I/O; `resolve` returns what is sent for one request, and `_serve` sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, Unpack, overload

from ._accept import clipped
from ._headers import checked_headers, content_length, without_fields, without_hop_by_hop
from ._keywords import UNSET, ResponseKeywords, shows_options
from ._limits import Limits, StreamSummary
from ._options import NO_OPTIONS, ResponseOptions
from ._plain import resolve_plain
from ._pump import running_loop
from ._request import RequestHead
from ._resolved import Flow, Resolved
from ._serve import asgi, opening, pathsend, wsgi
from ._source import Kind, Source
from ._status import is_bodiless
from .errors import ContentLengthError, SourceError
from .formats import Auto, Format, Raw
from .formats._base import FormatEncoder
from .types import Chunk, Environ, Flush, HeadersInput, Receive, Scope, Send, StartResponse
from .types import Source as SourceInput

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

__all__ = ["Response", "is_whole", "make_response", "options_of"]

T = TypeVar("T")

_ANY_REQUEST = RequestHead()
_ATTRIBUTES_OF_A_FRAMEWORK = frozenset(  # what Django and its middleware look at first, and what users set
    ("_resource_closers", "cookies", "delete_cookie", "get", "has_header", "items", "set_cookie", "setdefault")
)
_OF_A_FRAMEWORK = "; put @streaming on the view, or return stream_response(…), which is the framework's own response"
_NESTED = "content: got a Response; return it as it is, or give it to stream_response"
_auto = lru_cache(maxsize=256)(Auto)  # clients send few different Accepts, and none of them is long


class _Option(Generic[T]):
    """An attribute of a response that is one of its options. One that is set later counts as given."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, response: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, response: Response, owner: type[Any]) -> T: ...
    def __get__(self, response: Response | None, owner: type[Any]) -> Self | T:
        if response is None:
            return self
        value: T = getattr(response._options, self._name)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it is a part of the class
        return value

    def __set__(self, response: Response, value: T) -> None:
        options = response._options  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it is a part of the class
        response._options = options.changed(self._name, value)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class Response:
    r"""A streaming response: status, headers, and a source of chunks.

    It is a WSGI application (two arguments) and an ASGI application (three); `wsgi` and `asgi` are the same by name.

    Args:
        content: bytes or text, a mapping, an iterable or async iterable of chunks, an awaitable of one of these, a file
            object with a sync or async `read`.
        status_code: 200 to 599: it is the final response.
        headers: a mapping (a list of values repeats the field) or pairs. They replace defaults.
        media_type: the Content-Type; text types get the charset. Bytes and text pass; values are framed as it says.
        charset: the encoding of text.
        strict: take chunks of bytes only; any other is an error that names it.
        format: how items are framed; None lets the media type, or else the first item, decide.
        flush: "item" sends every chunk on its own; "bulk" may fill a block first; "auto" sends what is ready together,
            and in the formats that are of use as a whole (JSON arrays, CSV) is "bulk".
        commit_after: seconds to wait for the first item before status and headers go out; None waits for it.
        limits: bounds in bytes, chunks and seconds.
        on_error: called with an exception that ends the stream after commit; returns a last chunk, or None.
        on_close: called with a StreamSummary when the source is closed.

    Raises:
        SourceError: the content cannot be streamed; a generator function must be called first.
        TypeError: an option is unknown or of the wrong type, or both `content` and `description` are given.
        ValueError: an option has a value that is not allowed.
    """

    status_code: _Option[int] = _Option()
    media_type: _Option[str | None] = _Option()
    charset: _Option[str] = _Option()
    strict: _Option[bool] = _Option()
    format: _Option[Format | None] = _Option()
    flush: _Option[Flush] = _Option()
    commit_after: _Option[float | None] = _Option()
    limits: _Option[Limits] = _Option()
    on_error: _Option[Callable[[BaseException], Chunk] | None] = _Option()
    on_close: _Option[Callable[[StreamSummary], object] | None] = _Option()

    if TYPE_CHECKING:  # spelled out for type checkers and editors; at run time, an unknown option gets a hint

        def __init__(
            self,
            content: SourceInput = None,
            *,
            status_code: int = UNSET,
            headers: HeadersInput | None = UNSET,
            media_type: str | None = UNSET,
            charset: str = UNSET,
            strict: bool = UNSET,
            format: Format | None = UNSET,
            flush: Flush = UNSET,
            commit_after: float | None = UNSET,
            limits: Limits = UNSET,
            on_error: Callable[[BaseException], Chunk] | None = UNSET,
            on_close: Callable[[StreamSummary], object] | None = UNSET,
            description: SourceInput = UNSET,
        ) -> None: ...

    else:

        @shows_options()
        def __init__(self, content: SourceInput = None, **options: Unpack[ResponseKeywords]) -> None:
            if "description" in options:
                if content is not None:
                    raise TypeError("Response: pass either content or description, not both")
                content = options["description"]
            if isinstance(content, Response):
                raise SourceError(_NESTED)
            source = Source(content)  # first: a serializer that goes through attributes meets its error first
            self._begin(source, ResponseOptions.of(options))

    def _begin(self, source: Source, options: ResponseOptions) -> None:
        self._source = source
        self._options = options
        self._headers: Headers | None = None  # those of the options, until they are asked for
        self._wrap_encoder: Callable[[FormatEncoder], FormatEncoder] | None = None

    @property
    def headers(self) -> Headers:
        """The header fields of the user, which replace defaults."""
        if self._headers is None:
            self._headers = _werkzeug_headers()(self._options.headers)
        return self._headers

    @headers.setter
    def headers(self, headers: HeadersInput) -> None:
        self._options = self._options.changed("headers", tuple(checked_headers(headers)))
        self._headers = None

    @shows_options()
    def with_defaults(self, options: ResponseOptions = NO_OPTIONS, /, **defaults: Unpack[ResponseKeywords]) -> Self:
        """Return this response with options filled in that it was not given; its headers replace those of `defaults`.

        What was set on it since it was made counts as given. The two share one source, so only one of them can be
        streamed.

        Args:
            options: what `checked_options` returned, which is not checked again.
            **defaults: or the options, by name.
        """
        if defaults:
            options = ResponseOptions.of({**options, **defaults})
        if not options:
            return self
        own = options_of(self)
        filled = own.filled_in(options)
        return self if filled is own else self._with_options(filled)

    def _with_options(self, options: ResponseOptions) -> Self:
        response = copy(self)  # of the same class, and with the same source
        response._options = options  # noqa: SLF001  # our own class
        response._headers = None  # noqa: SLF001  # our own class
        return response

    def with_encoder(self, wrap: Callable[[FormatEncoder], FormatEncoder]) -> Self:
        """Return this response with its items encoded by what `wrap` makes of the format's encoder.

        A framework's integration holds items to a contract by it. Bytes that `strict` asks for and files are sent as
        they are. The two share one source, so only one of them can be streamed.
        """
        wrapped = copy(self)
        wrapped._wrap_encoder = wrap  # noqa: SLF001  # our own class
        return wrapped

    def resolve(self, head: RequestHead = _ANY_REQUEST, *, text_media_type: str = "text/plain") -> Resolved:  # frozen
        """Return what is sent for one request. The source is taken: the result must be opened and closed.

        Args:
            head: the request's method and headers.
            text_media_type: what unnamed text is sent as, where a framework has a custom of its own.

        Raises:
            StreamConsumedError: the source can be read once and was.
            ChunkEncodingError: a body of one chunk cannot be encoded.
            ContentLengthError: it is not as long as the Content-Length says.
            ValueError: the Content-Length is not a number, or a charset cannot be used.
        """
        options = options_of(self)
        whole = self._source if self._wrap_encoder is None else None
        is_one = whole is not None and whole.kind is Kind.ONE
        plain = resolve_plain(self._source, options, head, text_media_type) if is_one else None
        if plain is not None:
            return plain
        format = _format_of(options, head, text_media_type, whole)
        encoder = format.encoder(strict=options.strict, charset=options.charset)
        if self._wrap_encoder is not None and not options.strict:
            encoder = self._wrap_encoder(encoder)
        status = 204 if format.is_over(head) else options.status_code
        promised = content_length(options.headers) if options.headers else None
        source = self._source.take()
        commit_after = format.commit_after
        only_begins = False
        per_request = source.per_request
        if per_request is not None:
            source = Source(per_request.for_request(head))
            if per_request.decides_status:
                commit_after = None
                only_begins = head.method == "HEAD" and not is_bodiless(status)
        bodiless = is_bodiless(status)
        body: bytes | None = None
        if bodiless or source.kind is Kind.ONE:
            body = encoder.encode_whole(None if bodiless else source.content)
        undecided = isinstance(format, Auto) and body is None
        if undecided:
            headers = without_hop_by_hop(options.headers)
        else:
            headers = options.head_in(encoder.settle(), has_body=not bodiless)
        if body is not None and not bodiless:
            _announce_length(headers, len(body), promised, head)
        if bodiless:
            headers = without_fields(headers, {"content-length", "content-type"})
        if is_bodiless(status, head.method) and not only_begins:
            body = b""
        flow = Flow(
            encoder=encoder,
            limits=options.limits,
            flush=("bulk" if format.bulk else "auto") if options.flush == "auto" else options.flush,
            commit_after=options.commit_after if "commit_after" in options.given else commit_after,
            on_error=options.on_error,
            on_close=options.on_close,
            head_of=(lambda settled: (status, options.head_in(settled))) if undecided else None,
            default_limits="limits" not in options.given,
            keeps_length=True,
            only_begins=only_begins,
        )
        return Resolved(status, headers, source, flow, body, request=head)

    async def aresolve(self, head: RequestHead = _ANY_REQUEST, *, text_media_type: str = "text/plain") -> Resolved:
        """Return the same without blocking the event loop: `resolve` does no I/O, but that of a subclass may.

        Raises:
            UnsupportedError: no asyncio event loop runs: under trio nothing is streamed.
        """
        running_loop()
        return self.resolve(head, text_media_type=text_media_type)

    def wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve it as a WSGI application (PEP 3333); the first item is pulled inside this call."""
        return wsgi.serve(self, environ, start_response)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it as an ASGI 3.0 application."""
        body = await opening.opened(self, scope, receive, send)
        del self  # a silent stream may be the only one that holds it, and its options
        if body is not None:
            await asgi.deliver(body, receive, send, pathsend=pathsend.offers_pathsend(scope), refuses=True)

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

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:  # called for what is not there
            hint = _OF_A_FRAMEWORK if name in _ATTRIBUTES_OF_A_FRAMEWORK else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name, obj=self)

    def __repr__(self) -> str:
        return f"<Response {self.status_code} of {type(self._source.content).__name__}>"


@cache
def _werkzeug_headers() -> type[Headers]:
    """Return Werkzeug's class, imported when it is first needed: that takes half as long as importing this library."""
    from werkzeug.datastructures import Headers  # noqa: PLC0415  # see above

    return Headers


def _format_of(options: ResponseOptions, head: RequestHead, text_media_type: str, source: Source | None) -> Format:
    """Return the format; where none is named, that of one chunk, if `source` is one, leaves the client no choice."""
    if options.format is not None:
        return options.format
    content_type = options.content_type
    if content_type is not None:
        return Raw(content_type)
    if source is not None and source.kind is Kind.ONE:
        return _auto(text_media_type, "").choose_whole(source.content.__class__, strict=options.strict)
    accept = head.headers.get("accept")
    return _auto(text_media_type, "" if accept is None else clipped(accept))


def _announce_length(headers: list[tuple[str, str]], length: int, promised: int | None, head: RequestHead) -> None:
    """Add the Content-Length of a whole body, unless the response has one, which must be right."""
    if promised is None:
        headers.append(("Content-Length", str(length)))
    elif promised != length and head.method != "HEAD":
        raise ContentLengthError(promised, length, complete=True)


def make_response(content: SourceInput, options: Mapping[str, Any]) -> Response:
    """Make a Response with options by name, or with those that are checked already, which are not checked again."""
    if isinstance(content, Response):
        raise SourceError(_NESTED)
    response = Response.__new__(Response)
    response._begin(Source(content), ResponseOptions.of(options))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # our own class
    return response


def is_whole(response: Response) -> bool:
    """Return True if the content is one chunk, or none: there is nothing to iterate, and no file to open."""
    is_own = response.__class__.resolve is Response.resolve
    return is_own and response._source.kind is Kind.ONE  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # our own class


def options_of(response: Response) -> ResponseOptions:
    """Return the options that a response was given, with those that were set on it since, headers among them."""
    options, headers = response._options, response._headers  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # our own class
    if headers is None or tuple(headers) == options.headers:
        return options
    return options.changed("headers", tuple(headers))
