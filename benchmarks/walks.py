"""The way of a chunk, a header and a disconnect through the library's files: `python -m benchmarks.walks`.

Each walk runs in one process, without a server. It is traced with `sys.setprofile`, in the second request to an
application: the first, which is not counted, makes what is made once per route.

    files     files of the library with a function that was called
    visits    how often a call was in another file than the call before it
    returns   visits to a file that had been visited before
    calls     calls of functions, and resumptions of generators and coroutines

`--files` also prints the names of the files. `--write` puts the table between the markers `<!-- walks -->` and
`<!-- /walks -->` of docs/explanation/architecture.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from functools import cache
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import django
import fastapi
import flask
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path
from werkzeug.test import EnvironBuilder

import stream_adapter as sa
import stream_adapter_django
import stream_adapter_fastapi
import stream_adapter_flask

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- walks -->\n", "<!-- /walks -->"
HEADERS = {"X-Walk": "header"}
SETTLED = 0.05  # seconds after which a chunk has no more effects

_PACKAGES = {
    str(Path(str(package.__file__)).parent): package.__name__
    for package in (sa, stream_adapter_django, stream_adapter_fastapi, stream_adapter_flask)
}


class Trace:
    """The files of the library's calls, in order, from `start` to `stop`."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        """Begin again, in this thread."""
        self.calls = []
        sys.setprofile(self._note)

    def stop(self) -> None:
        """End the trace."""
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        file = frame.f_code.co_filename
        for folder, package in _PACKAGES.items():
            if file.startswith(folder):
                self.calls.append(package + file.removeprefix(folder))

    @property
    def files(self) -> list[str]:
        """The files, by their first call."""
        return list(dict.fromkeys(self.calls))

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Files, visits, returns and calls."""
        visits = sum(1 for _ in groupby(self.calls))
        return len(self.files), visits, visits - len(self.files), len(self.calls)


trace = Trace()


def rows() -> Iterator[str]:
    """Yield three chunks, and trace from the second `yield` until the source is resumed."""
    yield "first"
    trace.start()
    yield "second"
    trace.stop()
    yield "third"


def chunks(*_: object) -> sa.Response:
    """Return a response of three chunks."""
    return sa.Response(rows())


def header(*_: object) -> sa.Response:
    """Start to trace in the view, and return a response with a header."""
    trace.start()
    return sa.Response(iter(["first"]), headers=HEADERS)


def wsgi(app: Callable[..., Any], target: str) -> None:
    """Request a path, and end the trace of a header where the server gets it."""

    def start_response(*_: object) -> Callable[[bytes], object]:
        if target == "/header":
            trace.stop()
        return lambda _: None

    blocks = app(EnvironBuilder(path=target).get_environ(), start_response)
    for _ in blocks:
        continue
    blocks.close()


@cache
def flask_app() -> Callable[..., Any]:
    """Make the application of Flask."""
    app = flask.Flask(__name__)
    stream_adapter_flask.StreamAdapter(app)
    app.add_url_rule("/chunk", "chunk", chunks)
    app.add_url_rule("/header", "header", header)
    return app.wsgi_app


@cache
def django_app() -> Callable[..., Any]:
    """Make the application of Django."""
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
    django.setup()
    return get_wsgi_application()


urlpatterns = [
    path("chunk", stream_adapter_django.streaming(chunks)),
    path("header", stream_adapter_django.streaming(header)),
]


_more: ContextVar[asyncio.Event] = ContextVar("more")  # of one request: set when its source may go on


@cache
def fastapi_app() -> fastapi.FastAPI:
    """Make the application of FastAPI, whose async sources wait after each item."""
    app = fastapi.FastAPI()
    stream_adapter_fastapi.StreamAdapter(app)

    @app.get("/{target}")
    async def view(target: str) -> sa.Response:
        if target == "header":
            trace.start()
        return sa.Response(items(target, _more.get()), headers=HEADERS)

    return app


class Client:
    """The ASGI side of one request: it begins the trace of a disconnect, and ends that of a header."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.sent = asyncio.Queue[dict[str, Any]]()
        self.leaves = asyncio.Event()
        self._has_asked = False

    async def receive(self) -> dict[str, Any]:
        """Receive the request, and then the disconnect."""
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leaves.wait()
        if self.target == "/disconnect":
            trace.start()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message."""
        if self.target == "/header" and message["type"] == "http.response.start":
            trace.stop()
        self.sent.put_nowait(message)

    @property
    def scope(self) -> dict[str, Any]:
        """The request."""
        request: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "headers": [],
        }
        return {**request, "path": self.target, "query_string": b"", "root_path": "", "scheme": "http"}


async def items(target: str, more: asyncio.Event) -> AsyncIterator[str]:
    """Yield three chunks, with pauses between them, and wait for the disconnect; the third is the walk's."""
    try:
        for chunk in ("first", "second"):
            yield chunk
            await more.wait()
            more.clear()
        if target == "chunk":
            trace.start()
        yield "third"
        await asyncio.Event().wait()
    finally:
        if target == "disconnect":
            trace.stop()


async def asgi(app: fastapi.FastAPI, target: str) -> None:
    """Serve one request until the client leaves."""
    client, more = Client(target), asyncio.Event()
    _more.set(more)
    serving = asyncio.create_task(app(client.scope, client.receive, client.send))  # type: ignore[arg-type]  # as dicts
    for _ in range(2):  # the head and the first chunk
        await client.sent.get()
    for _ in range(2):
        more.set()
        await client.sent.get()
    await asyncio.sleep(SETTLED)
    if target == "/chunk":
        trace.stop()
    client.leaves.set()
    await serving


WALKS: dict[str, Callable[[], None]] = {
    "chunk, FastAPI, async source": lambda: asyncio.run(asgi(fastapi_app(), "/chunk")),
    "chunk, Django WSGI": lambda: wsgi(django_app(), "/chunk"),
    "chunk, Flask": lambda: wsgi(flask_app(), "/chunk"),
    "header, FastAPI": lambda: asyncio.run(asgi(fastapi_app(), "/header")),
    "header, Django WSGI": lambda: wsgi(django_app(), "/header"),
    "header, Flask": lambda: wsgi(flask_app(), "/header"),
    "disconnect, FastAPI": lambda: asyncio.run(asgi(fastapi_app(), "/disconnect")),
}


def table(*, files: bool) -> str:
    """Run each walk twice, and return the Markdown table of the second runs."""
    lines = ["| walk | files | visits | returns | calls |", "|---|---|---|---|---|"]
    sa.configure(warn_blocking=False)  # its thread would call into the loop at any time
    for name, walk in WALKS.items():
        walk()
        walk()
        lines.append(f"| {name} | " + " | ".join(map(str, trace.numbers)) + " |")
        if files:
            sys.stdout.write(f"{name}: {', '.join(trace.files)}\n\n")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and write it if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", action="store_true", help="print the names of the files, too")
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.name}")
    arguments = parser.parse_args()
    text = table(files=arguments.files)
    sys.stdout.write(text)
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        if BEGIN not in page or END not in page:
            raise SystemExit(f"{PAGE.name}: expected the markers {BEGIN.strip()} and {END}")
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
