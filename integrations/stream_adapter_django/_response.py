"""Django's response around a stream, rendered as a template's is.

Django calls `render()` after the view and its transaction, before middleware sees the response, and what it raises goes
to `process_exception`. So that is where the first item is pulled. A framework inside Django, which has called the view,
is asked first for its answer to an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from functools import cache
from typing import Any, Self, TypeAlias, Unpack, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import BadRequest, ImproperlyConfigured, PermissionDenied
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from stream_adapter import Response
from stream_adapter.integration import (
    AsyncBody,
    RefusalError,
    ResponseKeywords,
    ResponseOptions,
    SyncBody,
    as_response,
    checked_options,
    is_whole,
    merge_headers,
    options_of,
    outgoing_head,
    refusal_head,
    shows_options,
)
from stream_adapter.types import Source

from ._blocks import Blocks
from ._compat import fields_of
from ._content import StreamContent
from ._requests import Answer, request_info
from ._threads import when_request_ends

__all__ = ["StreamResponse", "answer_of", "check_defaults", "response_to_refusal", "stream_response"]

PostRender: TypeAlias = Callable[[Any], HttpResponseBase | None]


@shows_options()
def stream_response(
    content: Source = None, *, request: object | None = None, **options: Unpack[ResponseKeywords]
) -> StreamResponse:
    """Make Django's response of anything that can be streamed. It pulls no item itself.

    Which request it answers (HEAD, ranges, negotiation, resuming, a client that leaves) it learns from `request=`, or
    from Django's `request_started`. A request of Django REST framework also brings that framework's exception handler.

    Args:
        content: anything that a Response takes, or a Response.
        request: the request, if Django has not announced it: from a `RequestFactory` or `AsyncClient`, or, of Django
            REST framework, for its exception handler.
        **options: those of Response; a Response has only what it was not given filled in. The setting STREAM_ADAPTER
            fills in the rest.

    Raises:
        TypeError: `request` is not a request.
    """
    return StreamResponse(as_response(content, **options).with_defaults(_app_defaults()), request)


def answer_of(stream: Response, request: object | None) -> HttpResponseBase:
    """Make what a view answers with; the setting STREAM_ADAPTER fills in what the stream was not given.

    One body without a stream is Django's own response of it, if its request is known.

    Raises:
        ChunkEncodingError: such a body cannot be encoded.
        ValueError: its status or a header may not be sent.
    """
    stream = stream.with_defaults(_app_defaults())
    if request is not None and is_whole(stream):
        resolved = stream.resolve(request_info(request).head)
        if resolved.is_plain:
            status, headers = outgoing_head(resolved.status, resolved.headers)
            response = HttpResponse(resolved.body, "", status)  # its type is one of the headers
            _set_headers(response, headers)
            return response
    return StreamResponse(stream, request)


@cache
def _app_defaults() -> ResponseOptions:
    """Return the options that a response has where it was not given them."""
    given: Any = getattr(settings, "STREAM_ADAPTER", None) or {}
    if not isinstance(given, Mapping):
        raise TypeError(f"expected a dict of options, got {type(given).__name__}")
    return checked_options(**cast("Mapping[str, Any]", given))


@receiver(setting_changed)
def _forget_defaults(**_: object) -> None:
    """Read the setting again: a test has changed the settings, which Django does not change otherwise."""
    _app_defaults.cache_clear()


def check_defaults() -> None:
    """Refuse a bad option when the application starts.

    Raises:
        ImproperlyConfigured: STREAM_ADAPTER is not a dict of options.
    """
    try:
        _app_defaults()
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"STREAM_ADAPTER: {error}") from error


class StreamResponse(StreamContent):
    """A stream that Django renders: to render it is to pull the first item, which settles its status and headers.

    Django does not render what a middleware returns of its own: that has the headers that are known without an item.
    """

    template_name = None  # what a process_template_response looks at
    context_data = None

    def __init__(self, response: Response, request: object | None = None) -> None:
        options = options_of(response)
        self._assumed_type = options.media_type or (options.format.media_type if options.format else "text/plain")
        super().__init__(response, request, self._assumed_type)
        self._assumed_status = self.status_code
        self.is_rendered = False
        self._post_render: list[PostRender] = []
        self._answer: Answer | None = None
        self._given = {name.lower() for name, _ in options.headers}
        if self._given:  # checked, and without hop-by-hop fields, when they are sent
            assumed = [] if "content-type" in self._given else [("Content-Type", self._assumed_type)]
            _set_headers(self, [*options.headers, *assumed])

    def __await__(self) -> Generator[Any, None, Self]:
        """Return itself: a decorated async generator view gives its response at the call, and may be awaited."""
        yield from ()
        return self

    def answer_errors_by(self, answer: Answer) -> None:
        """Let a framework inside Django answer what is raised before the first item.

        Args:
            answer: returns a response for the exception, or raises it.
        """
        self._answer = answer

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
        if self.is_rendered:
            return self
        try:
            self._start_sync()
        except Exception as error:  # noqa: BLE001  # it is raised, unless it has an answer
            return self._rendered(self._response_to(error))
        try:
            return self._called_back(self)
        except BaseException:
            self._close_content()
            raise

    def _start_sync(self) -> None:
        body = self._open_sync()
        try:
            if self._file is None:
                body.start()
            self._commit(body)
        except BaseException:
            body.close()
            raise

    async def _render_async(self) -> HttpResponseBase:
        if self.is_rendered:
            return self
        try:
            blocks = await self._start_async()
        except Exception as error:  # noqa: BLE001  # it is raised, unless it has an answer
            response = await sync_to_async(self._response_to)(error)
            return await sync_to_async(self._rendered)(response)
        try:
            return await sync_to_async(self._called_back)(self) if self._post_render else self
        except BaseException:
            await blocks.aclose()
            raise

    async def _start_async(self) -> Blocks:
        blocks = self._open_async()
        when_request_ends(blocks.close_soon)
        try:
            self._commit(await blocks.start())
        except BaseException:
            await blocks.aclose()
            raise
        return blocks

    def _commit(self, body: SyncBody | AsyncBody) -> None:
        """Take over the final status and headers; what the view has set on this response stays."""
        self.is_rendered = True
        if self.status_code == self._assumed_status:
            self.status_code = body.status
        own = _headers_of(self)
        if "content-type" not in self._given:
            own = [pair for pair in own if pair != ("Content-Type", self._assumed_type)]
        _set_headers(self, merge_headers(body.headers, own, copied=self._given) if own else body.headers)

    def _response_to(self, error: Exception) -> HttpResponseBase:
        """Return the answer to what was raised before the first item, or raise it."""
        if isinstance(error, RefusalError):
            try:
                return response_to_refusal(error)
            except (BadRequest, PermissionDenied, Http404) as page:
                error = page
        answer = self._answer or self._request_info.answer
        if answer is None:
            raise error
        response = answer(error)
        if "Vary" in self.headers:
            patch_vary_headers(response, [field.strip() for field in self.headers["Vary"].split(",")])
        return response

    def _rendered(self, response: Any) -> HttpResponseBase:
        """Finish a response that takes this one's place, as Django would, and as this one's decorators want it."""
        if not callable(getattr(response, "render", None)):
            return self._called_back(response)
        for callback in self._post_render:
            response.add_post_render_callback(callback)
        rendered: HttpResponseBase = response.render()
        return rendered

    def _called_back(self, response: HttpResponseBase) -> HttpResponseBase:
        for callback in self._post_render:
            response = callback(response) or response
        return response


_PAGES: dict[int, type[Exception]] = {400: BadRequest, 403: PermissionDenied, 404: Http404}
"""The statuses for which Django, and a framework inside it, have an error page."""


def response_to_refusal(error: RefusalError) -> HttpResponse:
    """Return the answer to a refusal: its status and headers.

    Raises:
        BadRequest, PermissionDenied, Http404: there is an error page for its status, and it has no headers.
    """
    status, headers = refusal_head(error)
    if not headers and status in _PAGES:
        raise _PAGES[status](str(error)) from error
    response = HttpResponse(status=status)
    _set_headers(response, merge_headers(_headers_of(response), headers))
    return response


def _headers_of(response: HttpResponseBase) -> list[tuple[str, str]]:
    """Return all fields of a response of Django's, its cookies among them."""
    cookies = [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    return [*fields_of(response).values(), *cookies]


def _set_headers(response: HttpResponseBase, pairs: Iterable[tuple[str, str]]) -> None:
    """Give a response these fields and no other; cookies are added to its own.

    Fields of one name are joined (RFC 9110, 5.3). Set-Cookie, which cannot be, goes to the cookies.

    Raises:
        ValueError: a cookie has an attribute that Python's http.cookies does not know.
    """
    fields: dict[str, tuple[str, str]] = {}
    present = {morsel.OutputString() for morsel in response.cookies.values()}
    for name, value in pairs:
        key = name.lower()
        if key != "set-cookie":
            fields[key] = (name, f"{fields[key][1]}, {value}" if key in fields else value)
        elif value not in present:
            _add_cookie(response, value)
    before = fields_of(response)
    for key in before.keys() - fields.keys():
        del before[key]
    for key, (name, value) in fields.items():
        if key in before and before[key][1] == value:
            continue
        if value.isascii() and value.isprintable():  # as nearly all are; Django would look at more, and take longer
            before[key] = (name, value)
        else:
            response.headers[name] = value


def _add_cookie(response: HttpResponseBase, value: str) -> None:
    name = value.partition("=")[0].strip()
    response.cookies.pop(name, None)
    response.cookies.load(value)
    if name not in response.cookies:
        raise ValueError(
            f"Set-Cookie: Django cannot carry an attribute of the cookie {name!r}; use response.set_cookie"
        )
