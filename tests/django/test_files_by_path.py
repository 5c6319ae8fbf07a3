"""Django's own FileResponse under ASGI, by `to_asgi`, on a server that sends a file by its path."""

from __future__ import annotations

from pathlib import Path

from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest
from django.test import override_settings
from django.urls import path as url

import stream_adapter as sa
from tests.adapters.asgi_client import messages_of


def test_file_response_of_django_is_sent_by_its_path_and_closed_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"a file" * 1000)
    responses: list[FileResponse] = []

    def view(_: HttpRequest) -> FileResponse:
        responses.append(FileResponse(path.open("rb")))
        return responses[-1]

    with override_settings(ROOT_URLCONF=(url("", view),), MIDDLEWARE=[], ALLOWED_HOSTS=["*"]):
        start, sent = messages_of(sa.to_asgi(WSGIHandler()), extensions={"http.response.pathsend": {}})
    assert start["status"] == 200
    assert sent == {"type": "http.response.pathsend", "path": str(path)}
    assert responses[0].closed
