"""Answers of a language model that survive their client: resumed and stopped by OpenAI's client and Vercel's AI SDK.

pip install '.[fastapi]' uvicorn openai
uvicorn examples.ai_resume:app
python -c "
from openai import OpenAI
client = OpenAI(base_url='http://localhost:8000/v1', api_key='none')
with client.responses.create(model='echo', input='hold nothing back', stream=True, background=True) as events:
    first = next(events)  # and the connection is lost
for event in client.responses.retrieve(first.response.id, stream=True, starting_after=first.sequence_number):
    print(event.type, event.sequence_number)
"

A key or a cursor grants nothing: a real view checks at each request that the user may see the chat or the response.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

app = FastAPI()
live = sa.Broker(os.environ.get("BROKER", "memory://"))  # redis://… for more than one worker


async def tokens(prompt: str) -> AsyncIterator[str]:
    """Yield words as a model does."""
    for word in prompt.split():
        await asyncio.sleep(0.05)
        yield f"{word} "


# OpenAI's responses: each event has a number, after which a client resumes


async def response_events(response_id: str, prompt: str) -> AsyncIterator[sa.ServerSentEvent]:
    """Yield the events of a response, numbered from 0."""
    response = {"id": response_id, "object": "response", "created_at": time.time(), "model": "echo", "output": []}
    delta = {
        "type": "response.output_text.delta",
        "item_id": "1",
        "output_index": 0,
        "content_index": 0,
        "logprobs": [],
    }
    number = 0
    yield numbered({"type": "response.created", "response": {**response, "status": "in_progress"}}, number)
    async for token in tokens(prompt):
        number += 1
        yield numbered({**delta, "delta": token}, number)
    yield numbered({"type": "response.completed", "response": {**response, "status": "completed"}}, number + 1)


def numbered(event: dict[str, Any], number: int) -> sa.ServerSentEvent:
    """Return an event of a response, named after its type."""
    return sa.ServerSentEvent({**event, "sequence_number": number}, event=event["type"])


async def events_after(run: AsyncIterator[sa.Event], number: int) -> AsyncIterator[sa.ServerSentEvent]:
    """Yield the events of a response after a number; the profile ends them."""
    async for event in run:
        if event.event == "error":  # failed, cancelled or lost: `run` says which
            error = {"message": event.data["title"], "code": event.data["run"], "type": "server_error", "param": None}
            yield sa.ServerSentEvent({"error": error})
        elif event.event != "stream-end" and event.data["sequence_number"] > number:
            yield sa.ServerSentEvent(event.data, event=event.event)


@app.post("/v1/responses")
async def create_response(stream: Stream, body: dict[str, Any]) -> Response:
    """Begin a response; it goes on without this client."""
    response_id = f"resp_{uuid4().hex}"
    run = live.run(f"response:{response_id}", response_events, response_id, body["input"])
    return stream(sa.sse(run, profile="openai"))


@app.get("/v1/responses/{response_id}")
async def resume_response(stream: Stream, response_id: str, starting_after: int = -1) -> Response:
    """Go on with a response after the event of a number."""
    run = await live.ajoin(f"response:{response_id}")
    if run is None:
        raise HTTPException(404, "no such response, or it is no longer kept")
    return stream(sa.sse(events_after(aiter(run), starting_after), profile="openai"))


@app.post("/v1/responses/{response_id}/cancel")
async def cancel_response(response_id: str) -> dict[str, Any]:
    """Stop a response, wherever it is made."""
    key = f"response:{response_id}"
    run = await live.ajoin(key)
    if run is None or run.id is None:
        raise HTTPException(404, "no such response, or it is no longer kept")
    await live.acancel(key, run=run.id)
    return {
        "id": response_id,
        "object": "response",
        "created_at": 0,
        "model": "echo",
        "output": [],
        "status": "cancelled",
    }


# Vercel's AI SDK: a client that comes back asks for what its chat is being answered


async def parts(prompt: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the parts of a UI message, for `useChat({resume: true})`."""
    yield {"type": "start"}
    yield {"type": "text-start", "id": "1"}
    async for token in tokens(prompt):
        yield {"type": "text-delta", "id": "1", "delta": token}
    yield {"type": "text-end", "id": "1"}
    yield {"type": "finish"}


@app.post("/api/chat")
async def chat(stream: Stream, body: dict[str, Any]) -> Response:
    """Answer the last message of a chat; a second request while it is answered joins."""
    prompt = "".join(part.get("text", "") for part in body["messages"][-1]["parts"])
    return stream(sa.sse(live.run(f"chat:{body['id']}", parts, prompt, if_done="restart"), profile="ai-sdk"))


@app.get("/api/chat/{chat_id}/stream")
async def resume_chat(stream: Stream, chat_id: str) -> Response:
    """Send the answer that is being made, from its start; 204 if there is not one."""
    run = await live.ajoin(f"chat:{chat_id}")
    if run is None or run.status != "running":
        return Response(status_code=204)
    return stream(sa.sse(run, profile="ai-sdk"))


@app.post("/api/chat/{chat_id}/stop")
async def stop_chat(chat_id: str) -> dict[str, bool]:
    """Stop the answer that is being made; closing the connection does not."""
    run = await live.ajoin(f"chat:{chat_id}")
    is_stopped = run is not None and run.id is not None and await live.acancel(f"chat:{chat_id}", run=run.id)
    return {"stopped": is_stopped}
