"""Downloads: the files of a directory, whole or in ranges, under WSGI and under ASGI.

pip install . uvicorn gunicorn
FILES=/srv/files uvicorn examples.downloads:asgi        or        FILES=/srv/files gunicorn examples.downloads:wsgi
curl -O localhost:8000/report.pdf
curl -r 0-99 localhost:8000/report.pdf
"""

import os
from collections.abc import Iterable

import stream_adapter as sa
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse

FILES = os.environ.get("FILES", ".")


def download(path: str) -> sa.Response:
    """Send the requested file, if it is below FILES. Put your own checks in front."""
    return sa.file(path.removeprefix("/"), root=FILES, precompressed=True, headers={"Cache-Control": "no-cache"})


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serve it from gunicorn, waitress, uWSGI, …."""
    return download(environ["PATH_INFO"])(environ, start_response)


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve it from uvicorn, hypercorn, granian, …."""
    await download(scope.get("path", ""))(scope, receive, send)
