"""Django's response around a stream, rendered as a template's is.

Django calls `render()` after the view and its transaction, before middleware sees the response, and what it raises goes
to `process_exception`. So that is where the first item is pulled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, Unpack
from wsgiref.util import is_hop_by_hop

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from stream_adapter import Response
from stream_adapter.integration import AsyncBody, CapacityError, ResponseOptions, SyncBody, as_response
from stream_adapter.types import Source

from ._asgiref import when_request_ends
from ._content import StreamContent
from ._defaults import app_defaults
from ._headers import add_vary, apply_headers

__all__ = ["StreamResponse", "stream_response"]

PostRender: TypeAlias = Callable[[Any], HttpResponseBase | None]


def stream_response(content: Source = None, **options: Unpack[ResponseOptions]) -> StreamResponse:
    """Make Django's response of anything that can be streamed. It pulls no item itself.

    A view that is neither decorated with `streaming` nor adapted by the middleware does not tell it the request: a HEAD
    request then starts the source, and under WSGI a silent source does not learn that its client has gone.

    Args:
        content: whatever a Response takes, or a Response.
        **options: those of Response; a Response has only what it was not given filled in. The setting STREAM_ADAPTER
            fills in the rest.
    """
    return StreamResponse(as_response(content, **options).with_defaults(**app_defaults()))


class StreamResponse(StreamContent):
    """A stream that Django renders: to render it is to pull the first item, which settles its status and headers.

    Django does not render what a middleware returns of its own: that has the headers that are known without an item.
    """

    template_name = None  # what a process_template_response looks at
    context_data = None

    def __init__(self, response: Response, request: HttpRequest | None = None) -> None:
        super().__init__(response, request)
        self.is_rendered = False
        self._post_render: list[PostRender] = []
        self._assumed_type = response.media_type or (response.format.media_type if response.format else "text/plain")
        self.headers["Content-Type"] = self._assumed_type
        given = [(name, value) for name, value in response.headers if not is_hop_by_hop(name)]
        self._given = {name.lower() for name, _ in given}
        apply_headers(self, given)

    def add_post_render_callback(self, callback: PostRender) -> None:
        """Call `callback(response)` once it is rendered; what that returns, unless None, takes the response's place."""
        if self.is_rendered:
            callback(self)
        else:
            self._post_render.append(callback)

    @property
    def render(self) -> Callable[[], Any]:
        """Pull the first item: a coroutine function under ASGI, a function under WSGI, for Django asks which it is."""
        return self._render_async if self.on_loop else self._render_sync

    def _render_sync(self) -> HttpResponseBase:
        response: HttpResponseBase = self
        if self.is_rendered:
            return response
        body = self._open_sync()
        try:
            if self._file is None:
                body.start()
            self._commit(body)
            for callback in self._post_render:
                response = callback(response) or response
        except CapacityError as error:
            return _unavailable(error)
        except BaseException:
            body.close()
            raise
        return response

    async def _render_async(self) -> HttpResponseBase:
        response: HttpResponseBase = self
        if self.is_rendered:
            return response
        blocks = self._open_async()
        when_request_ends(blocks.close_soon)
        try:
            self._commit(await blocks.start())
            for callback in self._post_render:
                response = await sync_to_async(callback, thread_sensitive=True)(response) or response
        except CapacityError as error:
            return _unavailable(error)
        except BaseException:
            await blocks.aclose()
            raise
        return response

    def _commit(self, body: SyncBody | AsyncBody) -> None:
        """Take over the final status and headers; what the view has set on this response meanwhile stays."""
        self.is_rendered = True
        self.status_code = body.status
        if self.headers.get("Content-Type") == self._assumed_type and "content-type" not in self._given:
            del self.headers["Content-Type"]
        settled = [(name, value) for name, value in body.headers if name.lower() not in self._given]
        apply_headers(self, [(name, value) for name, value in settled if name not in self.headers])
        for value in (value for name, value in body.headers if name.lower() == "vary"):
            add_vary(self, value)


def _unavailable(error: CapacityError) -> HttpResponse:
    return HttpResponse(status=503, headers={"Retry-After": str(error.retry_after)})
