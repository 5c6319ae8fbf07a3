"""Answers that Celery's workers make: they outlive their requests, and a deploy of the processes that serve them.

pip install '.[fastapi,redis]' uvicorn 'celery[redis]'
celery -A examples.answers_celery:celery worker
uvicorn examples.answers_celery:app
curl -N -X POST 'localhost:8000/answers?prompt=hold+nothing+back'     # {"id": "…"}
curl -N localhost:8000/answers/…                                      # as often as you like, from its start

RQ and Dramatiq differ by the decorator alone; in arq a task is async, and awaits `live.aproduce(…)`.
"""

import os
import time
from collections.abc import Iterator
from uuid import uuid4

from celery import Celery
from fastapi import FastAPI
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

app = FastAPI()
celery = Celery("answers", broker=os.environ.get("QUEUE", "redis://localhost:6379/1"))
live = sa.Broker(os.environ.get("BROKER", "redis://localhost:6379/0"))  # not memory://: two processes share it


def answer(prompt: str) -> Iterator[str]:
    """Yield words as a model does."""
    for word in prompt.split():
        time.sleep(0.05)
        yield f"{word} "


@celery.task(soft_time_limit=600)  # which ends the run as cancelled
def write_answer(answer_id: str, prompt: str) -> str:
    """Produce an answer in this worker, and return at its end; a failure of the source is logged."""
    return live.produce(f"answer:{answer_id}", answer(prompt)).status


@app.post("/answers")
def begin_answer(prompt: str) -> dict[str, str]:
    """Put an answer into the queue, and return its id at once."""
    answer_id = uuid4().hex
    write_answer.delay(answer_id, prompt)
    return {"id": answer_id}


@app.get("/answers/{answer_id}")
async def follow_answer(stream: Stream, answer_id: str) -> Response:
    """Wait until a worker has begun, then send the answer. A real view checks whose it is."""
    run = await live.ajoin(f"answer:{answer_id}", wait=30)
    return Response(status_code=404) if run is None else stream(sa.sse(run))


@app.post("/answers/{answer_id}/stop")
async def stop_answer(answer_id: str) -> dict[str, bool]:
    """Stop an answer that is being made; one that is still in the queue is not found."""
    run = await live.ajoin(f"answer:{answer_id}")
    is_stopped = run is not None and run.id is not None and await live.acancel(f"answer:{answer_id}", run=run.id)
    return {"stopped": is_stopped}
