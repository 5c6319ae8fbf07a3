"""Answers that outlive their requests, made in the process that serves them: no queue, and no worker beside it.

pip install '.[fastapi]' uvicorn
uvicorn examples.answers:app
curl -N -X POST 'localhost:8000/answers?prompt=hold+nothing+back'     # {"id": "…"}
curl -N localhost:8000/answers/…                                      # as often as you like, from its start

examples/answers_celery.py has the same addresses, and its answers are made by Celery's workers.
"""

import os
import time
from collections.abc import Iterator
from uuid import uuid4

from fastapi import FastAPI
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

app = FastAPI()
live = sa.Broker(os.environ.get("BROKER", "memory://"))  # redis://… for more than one worker


def answer(prompt: str) -> Iterator[str]:
    """Yield words as a model does."""
    for word in prompt.split():
        time.sleep(0.05)
        yield f"{word} "


@app.post("/answers")
async def begin_answer(prompt: str) -> dict[str, str]:
    """Begin an answer, and return its id at once."""
    answer_id = uuid4().hex
    await live.run(f"answer:{answer_id}", answer, prompt).astart()
    return {"id": answer_id}


@app.get("/answers/{answer_id}")
async def follow_answer(stream: Stream, answer_id: str) -> Response:
    """Send an answer from its start, or after the client's Last-Event-ID. A real view checks whose it is."""
    run = await live.ajoin(f"answer:{answer_id}", wait=30)
    return Response(status_code=404) if run is None else stream(sa.sse(run))


@app.post("/answers/{answer_id}/stop")
async def stop_answer(answer_id: str) -> dict[str, bool]:
    """Stop an answer, wherever it is made."""
    run = await live.ajoin(f"answer:{answer_id}")
    is_stopped = run is not None and run.id is not None and await live.acancel(f"answer:{answer_id}", run=run.id)
    return {"stopped": is_stopped}
