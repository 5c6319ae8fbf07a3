"""Flask: the same generators as in the other examples, with `request` and `abort` inside them.

pip install '.[flask]' gunicorn
gunicorn --threads 8 examples.flask_app:app
curl -N localhost:8000/tokens
"""

import asyncio
import time

from flask import Flask, Response, abort, request

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter, last_event_id, stream_response, streaming

app = Flask(__name__)
StreamAdapter(app)  # a view may return a generator, without a decorator; routes take streaming=True


@app.get("/tokens")
@streaming
async def tokens():
    """An async generator, under WSGI."""
    for word in ("Hold", "nothing", "back", "that", "is", "ready", "."):
        yield f"{word} "
        await asyncio.sleep(0.1)


@app.get("/rows", streaming=True)
def rows():
    """JSON values, one per line."""
    return ({"row": number, "to": request.remote_addr} for number in range(5))


@app.get("/events")
def events():
    """Events, resumed after the last one that the client has."""

    def ticks():
        first = int(last_event_id() or -1) + 1
        for number in range(first, first + 5):
            yield sa.ServerSentEvent({"tick": number}, id=str(number))
            time.sleep(0.1)

    return sa.sse(ticks())


@app.get("/report.csv")
def report() -> Response:
    """A response of the framework, made inside the view."""
    lines = (f"{number},{number * number}\n" for number in range(1000))
    return stream_response(lines, media_type="text/csv", headers={"Content-Disposition": "attachment"})


@app.get("/secret")
@streaming
def secret():
    """An error before the first item is an ordinary 403."""
    abort(403)
    yield "never sent"
