"""WSGI applications that read their request's body, behind the middleware: each says how long the body was.

/plain      reads before it answers             /flask    Flask, by `get_data`
/generator  reads in the stream that it returns /django   Django, by `request.body`
/lenient    answers 200 whatever the read does  /strict   answers 422 if the read fails
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from flask import Flask, request

from stream_adapter.types import Environ, StartResponse, WSGIApp
from stream_adapter.wsgi import StreamAdapterMiddleware

RECEIVE_TIMEOUT = 0.5  # seconds
TEXT = [("Content-Type", "text/plain")]


def _read(environ: Environ) -> int:
    return len(
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) if environ["REQUEST_METHOD"] == "POST" else b""
    )


def _plain(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = str(_read(environ)).encode()
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


def _generator(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", TEXT)
    yield str(_read(environ)).encode()


def _answering(status: str) -> WSGIApp:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return _plain(environ, start_response)
        except OSError:
            start_response(status, [*TEXT, ("Content-Length", "0")])
            return []

    return app


_flask = Flask(__name__)


@_flask.route("/flask", methods=["GET", "POST"])
def _flask_view() -> str:
    return str(len(request.get_data()))


def _django_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


urlpatterns = [path("django", _django_view)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="-")
django.setup()

_apps: dict[str, Callable[[Environ, StartResponse], Iterable[bytes]]] = {
    "/plain": _plain,
    "/generator": _generator,
    "/lenient": _answering("200 OK"),
    "/strict": _answering("422 Unprocessable Content"),
    "/flask": _flask,
    "/django": WSGIHandler(),
}


def _dispatch(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _apps[environ["PATH_INFO"]](environ, start_response)


app = StreamAdapterMiddleware(_dispatch, receive_timeout=RECEIVE_TIMEOUT)
