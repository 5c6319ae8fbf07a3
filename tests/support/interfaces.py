"""One request to an application, in process, and what came of it: the part of a server that tests look at.

Both drivers check the protocol as they go, WSGI by `wsgiref.validate`, ASGI by the order and the types of messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from stream_adapter.types import ASGIApp, ExcInfo, Message, Receive, Scope, Send, WSGIApp
from tests.support.gate import BOUND
from tests.support.sources import AsyncCountingSource, CountingSource


@dataclass
class Answer:
    """What a client would have received, and what its server would have caught."""

    status: int | None = None
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    blocks: list[bytes] = field(default_factory=list[bytes])
    complete: bool = False
    error: Exception | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.blocks)

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Watcher:
    """Sees an answer grow. A test overrides what it waits for."""

    def on_start(self) -> None:
        """See the status line go out."""

    def on_block(self, block: bytes) -> None:
        """See a block of the body go out."""


class Call(Protocol):
    """What the two drivers have in common; `leave_after` is the number of blocks after which the client goes."""

    def __call__(
        self,
        app: Any,
        *,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        leave_after: int | None = None,
        watcher: Watcher = ...,
    ) -> Answer: ...


def call_wsgi(
    app: WSGIApp,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    leave_after: int | None = None,
    watcher: Watcher | None = None,
) -> Answer:
    answer, watcher = Answer(), watcher or Watcher()
    environ: dict[str, Any] = {"REQUEST_METHOD": method}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    setup_testing_defaults(environ)
    environ |= {"SCRIPT_NAME": "", "QUERY_STRING": ""}

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        assert answer.status is None or exc_info
        answer.status, answer.reason, answer.headers = int(status[:3]), status[4:], list(headers)
        watcher.on_start()
        return answer.blocks.append

    try:
        body = validator(app)(environ, start_response)
        try:
            for block in body:
                answer.blocks.append(block)
                watcher.on_block(block)
                if leave_after is not None and len(answer.blocks) >= leave_after:
                    return answer
            answer.complete = True
        finally:
            body.close()  # type: ignore[attr-defined]  # the validator's iterator always has it
    except AssertionError:
        raise
    except Exception as error:
        answer.error = error
    return answer


def call_asgi(
    app: ASGIApp,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    leave_after: int | None = None,
    watcher: Watcher | None = None,
) -> Answer:
    async def call() -> Answer:
        calling = acall_asgi(app, method=method, headers=headers, leave_after=leave_after, watcher=watcher)
        return await asyncio.wait_for(calling, BOUND)

    return asyncio.run(call())


async def acall_asgi(
    app: ASGIApp,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    leave_after: int | None = None,
    watcher: Watcher | None = None,
) -> Answer:
    answer, watcher = Answer(), watcher or Watcher()
    gone = asyncio.Event()
    if leave_after == 0:
        gone.set()
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        assert not answer.complete, "a message after the last one"
        if message["type"] == "http.response.start":
            assert answer.status is None, "a second status line"
            assert all(name == name.lower() for name, _ in message["headers"]), "ASGI wants lower-case names"
            answer.status = message["status"]
            answer.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            watcher.on_start()
            return
        assert message["type"] == "http.response.body"
        assert answer.status is not None, "a body before the status line"
        block: bytes = message["body"]
        assert type(block) is bytes
        if block:
            answer.blocks.append(block)
            watcher.on_block(block)
        answer.complete = not message["more_body"]
        if leave_after is not None and len(answer.blocks) >= leave_after:
            gone.set()

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": None,
        "server": None,
    }
    try:
        await app(scope, receive, send)
    except AssertionError:
        raise
    except Exception as error:
        answer.error = error
    return answer


def asgi_channel() -> tuple[Receive, Send, list[Message]]:
    """Return a receive that never returns after the request, a send, and the list of what was sent."""
    sent: list[Message] = []
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        sent.append(message)

    return receive, send, sent


INTERFACES: dict[str, Call] = {"wsgi": call_wsgi, "asgi": call_asgi}
SOURCES: dict[str, type[CountingSource | AsyncCountingSource]] = {
    "sync": CountingSource,
    "async": AsyncCountingSource,
}

either_interface = pytest.mark.parametrize("call", INTERFACES.values(), ids=INTERFACES)
either_way = pytest.mark.parametrize("way", SOURCES)
four_paths = pytest.mark.parametrize(
    ("way", "call"),
    [pytest.param(way, call, id=f"{way}→{interface}") for way in SOURCES for interface, call in INTERFACES.items()],
)
