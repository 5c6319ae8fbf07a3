"""The verb for use inside a view."""

from __future__ import annotations

from typing import Any, Unpack

from flask import current_app, request

from stream_adapter import Response
from stream_adapter.integration import RefusalError, RequestHead, ResponseOptions, as_response
from stream_adapter.types import Source

from ._compat import inner_generator
from ._mixed import mixed
from ._response import StreamResponse, http_exception
from ._unserved import watch

__all__ = ["respond", "stream_response"]


def stream_response(content: Source, **options: Unpack[ResponseOptions]) -> StreamResponse:
    """Make the response of a stream, inside a view; its first item is pulled when it is served.

    Args:
        content: whatever a Response takes, or a Response.
        **options: those of Response; a Response has only what it was not given filled in.
    """
    return respond(as_response(inner_generator(content), **options))


def respond(response: Response) -> StreamResponse:
    """Make the response that answers the present request with `response`, and the defaults of the app's adapter."""
    adapter: Any = current_app.extensions.get("stream_adapter")
    if adapter is not None:
        response = response.with_defaults(**adapter.defaults)
    base = current_app.response_class
    # text of no named type goes out as the text of the app's plain generators does
    head = RequestHead.from_environ(request.environ)
    try:
        resolved = response.resolve(head, text_media_type=base.default_mimetype or "text/plain")
    except RefusalError as error:
        raise http_exception(error) from error
    streaming = mixed(StreamResponse, base)(resolved)
    if not streaming.is_inert:
        watch(streaming)
    return streaming
