"""What the browser is sent, in every framework: sources that do nothing by themselves.

/                            a page, with the functions that the tests call
/stream/<kind>/<way>/<key>   numbers from 0, or after the Last-Event-ID, in a format
/unadapted/<key>             events, by the framework's own means
/file/<name>                 a file, to be saved
/tell/<key>/<command>        have the source "go" on, "run" by itself from now on, "fail", or "end"
/asked/<key>                 the Last-Event-ID of each request for this key
/closed/<key>                an answer, once the source is closed
"""

from __future__ import annotations

import gc
import itertools
import os
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import stream_adapter as sa
from tests.support.gate import BOUND, Gate

__all__ = ["PAGE", "asked", "events", "file", "stream", "tell", "wait_closed"]

gc.disable()  # what closes, was closed

PAGE = (Path(__file__).parent / "page.html").read_text()

_BLOCK = bytes(range(256))


@dataclass
class Remote:
    """What a source is controlled by, from other requests."""

    commands: deque[str] = field(default_factory=deque[str])
    gate: Gate = field(default_factory=Gate)
    asked: list[str | None] = field(default_factory=list[str | None])
    closed: threading.Event = field(default_factory=threading.Event)

    def obey(self) -> bool:
        """Do as the command says that has come; say whether there are to be more numbers."""
        if self.commands[0] == "run":
            self.gate.open()  # for every number to come
            return True
        command = self.commands.popleft()
        if command == "fail":
            raise LookupError("a secret")
        return command == "go"


_remotes: defaultdict[str, Remote] = defaultdict(Remote)
_kept: list[object] = []

Item = Callable[[int], object]


def _sync(remote: Remote, first: int, item: Item) -> Iterator[object]:
    try:
        for number in itertools.count(first):
            yield item(number)
            remote.gate.wait()
            if not remote.obey():
                return
    finally:
        remote.closed.set()


async def _async(remote: Remote, first: int, item: Item) -> AsyncIterator[object]:
    try:
        for number in itertools.count(first):
            yield item(number)
            await remote.gate.wait_async()
            if not remote.obey():
                return
    finally:
        remote.closed.set()


_WAYS: dict[str, Callable[[Remote, int, Item], Any]] = {"sync": _sync, "async": _async}

_KINDS: dict[str, tuple[Item, Callable[[Any], sa.Response]]] = {
    "events": (lambda number: sa.ServerSentEvent(number, id=str(number)), partial(sa.sse, retry=1, end="done")),
    "rows": (lambda number: {"row": number}, sa.ndjson),
    "page": ("<p>{}</p>\n".format, partial(sa.html, streaming=True)),
    "download": (
        lambda _: _BLOCK,
        partial(sa.Response, headers={"Content-Disposition": 'attachment; filename="blocks.bin"'}),
    ),
}


def stream(kind: str, way: str, key: str, last: str | None) -> sa.Response:
    """Return a stream of numbers.

    Args:
        kind: "events", "rows", "page" or "download".
        way: "sync" or "async".
        key: the name that a test controls it by.
        last: the request's Last-Event-ID.
    """
    item, respond = _KINDS[kind]
    remote = _remotes[key]
    remote.asked.append(last)
    source = _WAYS[way](remote, 0 if last in {None, "done"} else int(last or 0) + 1, item)
    _kept.append(source)
    return respond(source)


def events(way: str, key: str) -> Any:
    """Return events that are framed already, for a response of the framework's own."""
    return _WAYS[way](_remotes[key], 0, "id: {0}\ndata: {0}\n\n".format)


def file(name: str) -> sa.Response:
    """Return a file, of the folder that the tests name."""
    return sa.file(name, root=os.environ["BROWSER_FILES"], filename="saved.bin")


def tell(key: str, command: str) -> None:
    """Command a source."""
    remote = _remotes[key]
    remote.commands.append(command)
    remote.gate.open()


def asked(key: str) -> list[str | None]:
    """Return the Last-Event-ID of each request for this key."""
    return _remotes[key].asked


def wait_closed(key: str) -> str:
    """Wait until a source is closed."""
    return "closed" if _remotes[key].closed.wait(BOUND) else "it is still open"
