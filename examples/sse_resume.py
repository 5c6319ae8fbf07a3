"""A job's progress as events: a client that loses the connection resumes, and stops asking after the last event.

pip install '.[fastapi]' uvicorn
uvicorn examples.sse_resume:app
open http://localhost:8000, and restart the server while it counts
"""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

app = FastAPI()

# encoded once, and sent to every client
STEPS = [sa.ServerSentEvent({"percent": percent}, id=str(percent)) for percent in range(0, 101, 5)]

PAGE = """<!doctype html>
<title>A job</title>
<progress max=100 value=0></progress>
<script>
  const progress = document.querySelector("progress")
  const events = new EventSource("/progress") // reconnects by itself, until it is answered 204
  events.onmessage = (event) => (progress.value = JSON.parse(event.data).percent)
  events.addEventListener("done", () => (document.title = "Done"))
</script>
"""


async def steps(last: str | None) -> AsyncIterator[sa.ServerSentEvent]:
    """Yield the steps after the one that the client has seen."""
    seen = [step.id for step in STEPS]
    for step in STEPS[seen.index(last) + 1 if last in seen else 0 :]:
        yield step
        await asyncio.sleep(0.05)


@app.get("/progress")
async def progress(stream: Stream) -> Response:
    """Stream the progress; `end` marks an end that the client remembers."""
    return stream(sa.sse(steps(stream.last_event_id), retry=500, end="done"))


@app.get("/")
async def page() -> HTMLResponse:
    """Return the page that shows it."""
    return HTMLResponse(PAGE)
