"""Django views that stream in each of the ways that the documentation has."""

from collections.abc import AsyncIterator, Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern
from django.views import View

import stream_adapter as sa
from stream_adapter_django import StreamResponse, last_event_id, path, stream_response, streaming


@streaming
def words(request: HttpRequest) -> Iterator[str]:
    yield f"one at {request.path}"


@streaming(media_type="text/csv")
async def ticks(request: HttpRequest, count: int) -> AsyncIterator[str]:
    for number in range(count):
        yield f"{number}\n"


@streaming.sse(keepalive=5)
async def live(request: HttpRequest) -> AsyncIterator[dict[str, str]]:
    yield {"at": request.path}


@streaming.html
def markup(request: HttpRequest) -> Iterator[str]:
    yield "<p>"


def events(request: HttpRequest) -> StreamResponse:
    return stream_response(sa.sse(iter([{"after": last_event_id(request)}]), keepalive=5))


def migrated(request: HttpRequest) -> StreamingHttpResponse:
    return stream_response(words_of("a b"))


def page(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    return stream_response(words_of("a b")) if request.GET else HttpResponse("a b")


class Rows(View):
    @streaming
    def get(self, request: HttpRequest) -> Iterator[dict[str, int]]:
        yield {"row": 1}


def rows(request: HttpRequest) -> Iterator[dict[str, int]]:
    yield {"row": 1}


def words_of(text: str) -> Iterator[str]:
    yield from text.split()


urlpatterns: list[URLPattern] = [
    path("words", words),
    path("ticks/<int:count>", ticks),
    path("live", live),
    path("rows", rows, streaming=True),
    path("rows-of-a-class", Rows.as_view()),
]
