"""The options of both middlewares, and their effect on one stream."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Generic, TypeVar

from stream_adapter._app_protocol import Protocol, check_protocol
from stream_adapter._encode import check_charset
from stream_adapter._headers import encoded_fields, field_value, has_field, set_default
from stream_adapter._limits import Limits, StreamSummary, check_seconds
from stream_adapter._media_types import EVENT_STREAM, check_media_type, media_type_charset, without_parameters
from stream_adapter._media_types import LIVE as LIVE_TYPES
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Flow
from stream_adapter.formats import Raw
from stream_adapter.formats._base import ChunkFormat
from stream_adapter.types import Message, Scope

from .compression import Codec, compressed, revalidated

__all__ = ["LIVE", "Middleware", "Options", "Outgoing"]

LIVE = LIVE_TYPES | {"application/octet-stream", "multipart/x-mixed-replace"}
"""Media types whose readers may wait for each chunk. The bytes of an application may be of any kind."""

App = TypeVar("App")

_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How one stream is sent.

    Attributes:
        headers: the application's, with those that the middleware adds.
        flow: the options of the stream.
        live: whether a client may wait for each chunk.
        codec: compresses the stream; None: it is not compressed.
    """

    headers: list[tuple[str, str]]
    flow: Flow
    live: bool
    codec: Codec | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a middleware, checked. `Middleware` documents them."""

    strict: bool = False
    live: Collection[str] = LIVE
    keepalive: float | None = 15.0
    compress: bool = False
    receive_timeout: float | None = 30.0
    limits: Limits = _LIMITS
    on_close: Callable[[StreamSummary], object] | None = None

    def __post_init__(self) -> None:
        for name in ("strict", "compress"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}: expected True or False, got {type(getattr(self, name)).__name__}")
        if isinstance(self.live, str):
            raise TypeError("live: expected a collection of media types, got str")
        for media_type in self.live:
            check_media_type(media_type)
        check_seconds("keepalive", self.keepalive)
        check_seconds("receive_timeout", self.receive_timeout)
        if not isinstance(self.limits, Limits):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
            raise TypeError(f"limits: expected Limits(…), got {type(self.limits).__name__}")
        if self.on_close is not None and not callable(self.on_close):  # pyright: ignore[reportUnnecessaryComparison]  # nor here
            raise TypeError(f"on_close: expected a function, got {type(self.on_close).__name__}")

    @property
    def bounds_silence(self) -> bool:
        """Whether a stream may have to end while its source is silent."""
        return self.limits.idle_timeout is not None or self.limits.total_timeout is not None

    @property
    def named_send_timeout(self) -> float | None:
        """The `send_timeout` that `limits=` names, which then holds for responses with a length too."""
        seconds = self.limits.send_timeout
        return None if seconds == _LIMITS.send_timeout else seconds

    def passed_headers(
        self, status: int, headers: list[tuple[str, str]], request: RequestHead
    ) -> list[tuple[str, str]]:
        """Return the headers of a response that passes: `headers` itself, unless they would contradict the GET's.

        A 304 has the validators and the Vary of its 200 (RFC 9110, 15.4.5), a HEAD the fields of the GET (9.3.2).
        """
        if status == HTTPStatus.NOT_MODIFIED:
            return revalidated(headers, request) if self.compress else headers
        if request.method != "HEAD" or has_field(headers, "content-length"):
            return headers
        agreeing = self.outgoing(status, headers, request).headers
        return headers if agreeing == headers else agreeing

    def passed_head(self, message: Message, scope: Scope) -> Message:
        """Return the head of an ASGI response that passes: the message itself, unless `passed_headers` differ."""
        status = message["status"]
        if scope.get("method") != "HEAD" and not (self.compress and status == HTTPStatus.NOT_MODIFIED):
            return message
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        headers = self.passed_headers(status, pairs, RequestHead.from_scope(scope))
        if headers is pairs:
            return message
        encoded = encoded_fields(headers)
        return {**message, "headers": encoded}

    def outgoing(
        self, status: int, headers: list[tuple[str, str]], head: RequestHead, *, keeps_time: bool = True
    ) -> Outgoing:
        """Return how a stream of the application is sent.

        Args:
            status: of the response.
            headers: of the response.
            head: of the request.
            keeps_time: whether keepalives can be sent while the source is silent.
        """
        content_type = field_value(headers, "content-type") or ""
        format = Raw(content_type)
        if format.keepalive is not None:
            format.keepalive = self.keepalive if keeps_time else None
        codec: Codec | None = None
        if self.compress:
            headers, codec = compressed(status, headers, head)
        headers = list(headers)
        media_type = without_parameters(content_type)
        if media_type == EVENT_STREAM:  # other types need not be live, so a proxy may buffer them
            for name, value in format.headers.items():
                set_default(headers, name, value)
        flow = Flow(
            # the chunk table, for each media type: an application frames its chunks itself
            encoder=ChunkFormat.encoder(format, strict=self.strict, charset=_charset_of(content_type)),
            limits=self.limits,
            commit_after=format.commit_after if keeps_time else None,
            on_close=self.on_close,
        )
        return Outgoing(headers, flow, live=not media_type or media_type in self.live, codec=codec)


class Middleware(Generic[App]):
    """The options that both middlewares take."""

    _protocol: ClassVar[Protocol]
    _remedy: ClassVar[str]  # for an application of the other protocol

    def __init__(
        self,
        app: App,
        *,
        strict: bool = False,
        live: Collection[str] = LIVE,
        keepalive: float | None = 15.0,
        compress: bool = False,
        receive_timeout: float | None = 30.0,
        limits: Limits = _LIMITS,
        on_close: Callable[[StreamSummary], object] | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            strict: accept chunks of bytes only. Otherwise the chunk table converts them.
            live: media types whose chunks are sent as they come. Under WSGI, chunks of other types may wait for the
                next chunk; under ASGI no chunk waits.
            keepalive: seconds of silence after which a comment is sent in an event stream; None: never. Under WSGI it
                applies if the client's Accept names event streams.
            compress: whether to compress streams, as the client's Accept-Encoding asks.
            receive_timeout: seconds for which a read of the request's body waits while the client sends nothing, since
                that occupies a thread under WSGI; then it raises a TimeoutError, and an error of the application
                becomes 408. None: no limit. It applies where the server reads from a socket that it shows: gunicorn,
                Werkzeug, cheroot, on Linux. Under ASGI it has no effect.
            limits: bounds and deadlines of each stream.
            on_close: called with a StreamSummary when a stream has ended.

        Raises:
            TypeError: the application has the other protocol, or an option has the wrong type.
            ValueError: an option has a value that is not allowed.
        """
        check_protocol(app, self._protocol, self._remedy)
        self.app = app
        self._options = Options(
            strict=strict,
            live=live,
            keepalive=keepalive,
            compress=compress,
            receive_timeout=receive_timeout,
            limits=limits,
            on_close=on_close,
        )


def _charset_of(content_type: str) -> str:
    """Return the charset of text that an application did not encode; UTF-8 if it named none that there is."""
    try:
        return check_charset(media_type_charset(content_type) or "utf-8")
    except ValueError:
        return "utf-8"
