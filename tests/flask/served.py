"""The app that real servers serve: its sources wait until the client says that it has received their chunk."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

from flask import Flask, abort, g, request

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter, StreamingResponse, stream_response, streaming
from tests.support.gate import Gate

app = Flask(__name__)
StreamAdapter(app)
gates: defaultdict[str, Gate] = defaultdict(Gate)
journals: defaultdict[str, list[str]] = defaultdict(list)


@app.before_request
def remember() -> None:
    g.name = request.args.get("name", "")


@app.teardown_request
def note(error: BaseException | None) -> None:
    if g.get("name") and request.path.startswith("/stream"):
        journals[g.name].append(f"teardown of {type(error).__name__}")
        gates[f"{g.name} torn down"].open()


@app.post("/open")
def open_gate() -> str:
    gates[g.name].open()
    return ""


@app.get("/journal")
def journal() -> list[str]:
    """Say what happened to a stream, once it is torn down."""
    gates[f"{g.name} torn down"].wait()
    return journals[g.name]


@app.get("/stream/sync", streaming=True)
def sync_source() -> Iterator[str]:
    try:
        for number in range(3):
            yield f"{g.name} {number}\n"
            gates[request.args["name"]].wait()
    finally:
        journals[g.name].append("closed")


@app.get("/stream/async")
@streaming
def async_source() -> AsyncIterator[str]:
    return chunks()


async def chunks() -> AsyncIterator[str]:
    try:
        for number in range(3):
            yield f"{g.name} {number}\n"
            await gates[request.args["name"]].wait_async()
    finally:
        journals[g.name].append("closed")


@app.get("/stream/function")
def function() -> StreamingResponse:
    return stream_response(chunks())


@app.get("/stream/adapted")
async def adapted() -> AsyncIterator[str]:
    return chunks()


@app.get("/stream/endless/<way>")
@streaming(flush="item")
def endless(way: str) -> object:
    def blocks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            journals[g.name].append("closed")

    async def silence() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await gates["never opened"].wait_async()
        finally:
            journals[g.name].append("closed")

    return blocks() if way == "sync" else silence()


@app.get("/stream/refused")
@streaming
async def refused() -> AsyncIterator[str]:
    abort(403)
    yield "never"


@app.get("/stream/broken")
@streaming(flush="item")
def broken() -> Iterator[str]:
    yield "a"
    yield "b"
    raise LookupError("a secret")


@app.get("/stream/document")
@streaming
def document() -> object:
    return sa.Response({"pid": os.getpid()})
