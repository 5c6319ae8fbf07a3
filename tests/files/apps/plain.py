"""With no framework: WSGI and ASGI."""

from __future__ import annotations

import os
from collections.abc import Iterable

import stream_adapter as sa
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse

FILES = os.environ.get("FILES", ".")


def respond(path: str) -> sa.Response:
    """Send a file below the root; below /trusted/ by its path, as one's own files are."""
    name = path.removeprefix("/")
    if name == "-/open":
        return sa.text(str(open_files()))
    if name.startswith("trusted/"):
        return sa.file(os.path.join(FILES, name.removeprefix("trusted/")))
    return sa.file(name, root=FILES)


def open_files() -> int:
    """Count the descriptors of this process that are files below the root."""
    count = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{descriptor}").startswith(os.path.realpath(FILES) + os.sep)
        except OSError:
            continue  # the listing's own
    return count


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return respond(environ["PATH_INFO"])(environ, start_response)


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(scope.get("path", ""))(scope, receive, send)
