from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from stream_adapter.types import Environ, StartResponse
from tests.runs.apps import respond


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    return respond(environ["PATH_INFO"], query).wsgi(environ, start_response)
