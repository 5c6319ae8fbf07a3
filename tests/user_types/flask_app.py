"""A Flask application that streams in each of the ways that the documentation has."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter, StreamResponse, last_event_id, stream_response, streaming

app = Flask(__name__)
adapter = StreamAdapter(app, limits=sa.Limits(idle_timeout=60), media_type="text/plain")
pages = Blueprint("pages", __name__)


@app.get("/words")
@streaming
def words() -> Iterator[str]:
    yield "one"


@app.get("/ticks/<int:count>")
@streaming(media_type="text/csv", headers={"X-A": "1"})
async def ticks(count: int) -> AsyncIterator[str]:
    for number in range(count):
        yield f"{number}\n"


@app.get("/events")
@streaming.sse(keepalive=5, end="over")
def events() -> Iterator[sa.ServerSentEvent]:
    yield sa.ServerSentEvent({"after": last_event_id()}, event="tick", id="1")


@pages.post("/export")
@streaming.csv(("a", "b"), filename="rows.csv")
def export() -> Iterator[dict[str, int]]:
    yield {"a": 1, "b": 2}


@pages.get("/lines/<int:count>")
@streaming.ndjson
def lines(count: int) -> Iterator[int]:
    yield from range(count)


@pages.get("/table")
@streaming.csv
def table() -> Iterator[dict[str, int]]:
    yield {"a": 1}


@pages.get("/report")
def report() -> StreamResponse:
    response = stream_response(sa.ndjson(iter([1, 2])), status_code=202)
    response.set_cookie("seen", "1")
    return response


@pages.get("/either")
def either() -> ResponseReturnValue:
    return stream_response(words_of("a b"))


@adapter.get("/rows", streaming=True)
def rows() -> Iterator[dict[str, Any]]:
    yield {"row": 1}


@adapter.route("/arows", streaming=True, methods=["GET", "POST"])
async def arows() -> AsyncIterator[bytes]:
    yield b"a"


def words_of(text: str) -> Iterator[str]:
    yield from text.split()


app.register_blueprint(pages)
