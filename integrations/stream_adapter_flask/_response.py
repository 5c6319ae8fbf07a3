"""A stream as Flask's own response object, and the function that makes it inside a view."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from flask import Flask, Request, Response, current_app
from werkzeug.datastructures import Headers

from stream_adapter import Response as Stream
from stream_adapter.integration import (
    Hooks,
    RequestHead,
    Resolved,
    ResponseKeywords,
    SyncBody,
    as_response,
    client_connection,
    is_bodiless,
    merge_headers,
    outgoing_head,
    server_file,
    shows_options,
)
from stream_adapter.types import Source

from ._compat import answer_exception, current_context, inner_generator
from ._context import HeldContext, close_with_request, leave_to_server
from ._refusals import answering_refusals

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["StreamResponse", "StreamingResponse", "combine_classes", "respond", "stream_response"]

T = TypeVar("T")

_UNCHANGED = "identity"  # what compressors such as Flask-Compress take for encoded already; it is not sent

_combined: dict[tuple[type, type], type] = {}


class StreamResponse(Response):
    """A Flask response whose body is a stream: after_request functions, cookies and sessions work on it as on any.

    The server gets the stream itself, unless `response.response` was replaced.
    """

    def __init__(self, resolved: Resolved, environ: WSGIEnvironment, *, starts: bool) -> None:
        body = self._body = SyncBody(resolved, Hooks(connection=client_connection(environ)))
        self._file = None if body.file is None else server_file(body, environ)
        self.is_noop = body.is_noop
        self._context: HeldContext | None = None
        self._error: Exception | None = None
        self._closed = False
        self._settled = starts
        if starts:
            self._start_body()
        try:
            super().__init__(body, status=body.status, headers=_made_headers(body.headers))
        except BaseException:
            body.close()
            raise
        if not starts:
            self._given_status, self._given = body.status, {name.lower() for name, _ in body.headers}
            # that of Flask's own generators, until the first item decides
            self._provisional = None if "content-type" in self._given else self.content_type
        elif len(self.headers) > len(body.headers):  # Werkzeug's default
            self.headers.remove("Content-Type")
        if self._is_part:
            self.headers.setdefault("Content-Encoding", _UNCHANGED)

    @property
    def _is_part(self) -> bool:
        """Whether it is a part of a file: bytes that Content-Range numbers, which nothing may encode."""
        return self._body.status == HTTPStatus.PARTIAL_CONTENT

    def _start_body(self) -> None:
        if self._file is not None:
            return  # the server reads it, and there is nothing to wait for
        with answering_refusals:
            self._body.start()

    def start(self) -> None:
        """Pull the first item, which may decide the Content-Type; what after_request has set stays.

        Raises:
            Exception: what the source raised; it is closed.
            HTTPException: the source or the library refused it, as where no thread is left.
        """
        if self._settled:
            return
        self._settled = True
        self._start_body()
        if self._file is not None:
            return
        if self.status_code == self._given_status != self._body.status:
            self.status_code = self._body.status
        if self.content_type == self._provisional:
            self.headers.remove("Content-Type")
        self.headers = Headers(merge_headers(self._body.headers, self.headers, copied=self._given))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve it (PEP 3333), within the request: Flask calls this last, and then leaves the request context."""
        try:
            self.start()
            self._settle_head()
        except Exception as error:  # noqa: BLE001  # the app's error handlers answer it
            return answer_exception(current_app, error)(environ, start_response)
        blocks = super().__call__(environ, start_response)
        if self._file is None and not self.is_noop:
            self._context = HeldContext()
        return blocks

    def _settle_head(self) -> None:
        """Check what after_request functions have set, and hold the stream to the Content-Length that is sent.

        Raises:
            ValueError: the status, a name or a value may not be sent.
            ContentLengthError: a body whose length is known has another one.
        """
        if self._is_part and self.headers.get("Content-Encoding") == _UNCHANGED:
            self.headers.remove("Content-Encoding")
        _, headers = outgoing_head(self.status_code, self.headers)
        if len(headers) < len(self.headers):
            self.headers = Headers(headers)
        if self.response is self._body:
            self._body.hold_to(headers)

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return what the server iterates and closes."""
        replaced = self.response is not self._body
        stands = not replaced and not is_bodiless(self.status_code)
        if self._file is not None and stands:
            self._file.close = self.close
            leave_to_server(self)
            return self._file.wrap(environ)
        blocks = self._serve(self._body if stands else super().get_app_iter(environ))
        next(blocks)
        return blocks

    def _serve(self, blocks: Iterable[bytes]) -> Generator[bytes]:
        try:
            yield b""  # the caller takes this one, so that `finally` runs even if no other block is asked for
            yield from blocks
        except Exception as error:
            self._error = error
            raise
        finally:
            self.close()  # at the end already: not every test client closes what it has read

    def close(self) -> None:
        """Close the source, and only then leave the request context. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        try:
            super().close()
        finally:
            try:
                self._body.close()  # which a middleware's own iterable may not do
            finally:
                if self._context is not None:
                    self._context.release(self._error)


StreamingResponse = StreamResponse  # the name it had before all three integrations agreed on one


@shows_options()
def stream_response(content: Source, **options: Unpack[ResponseKeywords]) -> StreamResponse:
    """Make the response of a stream, inside a view; its first item is pulled when it is served.

    Args:
        content: whatever a Response takes, or a Response.
        **options: those of Response; a Response has only what it was not given filled in.
    """
    return cast("StreamResponse", respond(as_response(inner_generator(content), **options)))


def respond(stream: Stream, *, starts: bool = False) -> Response:
    """Make the response that answers the present request with `stream`, and the defaults of the app's adapter.

    Args:
        stream: what is sent.
        starts: whether its first item is pulled here, inside the view. One body without a stream is then the app's own
            response.

    Raises:
        Exception: what the source raised; it is closed.
        HTTPException: the stream is refused, such as a file that does not exist.
    """
    context = current_context()
    app: Flask = context.app
    request: Request = context.request
    adapter: Any = app.extensions.get("stream_adapter")
    if adapter is not None:
        stream = stream.with_defaults(adapter.defaults)
    app_class = app.response_class
    environ = request.environ
    # text of no named type is sent as the text of the app's plain generators is
    head = RequestHead.from_environ(environ)
    with answering_refusals:
        resolved = stream.resolve(head, text_media_type=app_class.default_mimetype or "text/plain")
    if starts and resolved.is_plain and resolved.status != HTTPStatus.PARTIAL_CONTENT:  # see `_is_part`
        return _plain_response(app_class, resolved)
    response = combine_classes(StreamResponse, app_class)(resolved, environ, starts=starts)
    if not response.is_noop:
        close_with_request(response, request)
    return response


def _plain_response(app_class: type[Response], resolved: Resolved) -> Response:
    """Return the app's own response of a body that `is_plain`."""
    blocks = [] if resolved.body is None else [resolved.body]
    status, headers = outgoing_head(resolved.status, resolved.headers)
    response = app_class(blocks, status=status, headers=_made_headers(headers))
    if is_bodiless(status):
        response.headers.remove("Content-Type")  # Werkzeug's default
    return response


def _made_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return Werkzeug's headers of these pairs, which its constructor takes twice as long for."""
    headers = Headers()
    headers[:] = pairs
    return headers


def combine_classes(our_class: type[T], app_class: type) -> type[T]:
    """Return a class that is both: `our_class` itself if it is a subclass of the app's already."""
    if issubclass(our_class, app_class):
        return our_class
    combined = _combined.get((our_class, app_class))
    if combined is None:
        combined = _combined[our_class, app_class] = type(our_class.__name__, (our_class, app_class), {})
    return cast("type[T]", combined)
