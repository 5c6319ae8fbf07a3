"""The output of a language model, as clients of OpenAI, Anthropic, Vercel's AI SDK and AG-UI expect it.

pip install '.[fastapi]' uvicorn openai
uvicorn examples.ai_streams:app
python -c "
from openai import OpenAI
client = OpenAI(base_url='http://localhost:8000/v1', api_key='none')
for chunk in client.chat.completions.create(model='echo', messages=[{'role': 'user', 'content': 'Hi'}], stream=True):
    print(chunk.choices[0].delta.content, end='', flush=True)
"
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

app = FastAPI()


async def tokens() -> AsyncIterator[str]:
    """Yield words as a model does."""
    for token in ("Hold", " nothing", " back", "."):
        yield token
        await asyncio.sleep(0.05)


async def chunks() -> AsyncIterator[dict[str, Any]]:
    """Yield chunks of a chat completion; the profile frames them and adds `[DONE]`."""
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": int(time.time()), "model": "echo"}
    async for token in tokens():
        yield {**chunk, "choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]}
    yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def parts() -> AsyncIterator[dict[str, Any]]:
    """Yield the parts of a UI message, for `useChat` and `DefaultChatTransport`."""
    yield {"type": "start"}
    yield {"type": "text-start", "id": "1"}
    async for token in tokens():
        yield {"type": "text-delta", "id": "1", "delta": token}
    yield {"type": "text-end", "id": "1"}
    yield {"type": "finish"}


async def message() -> AsyncIterator[dict[str, Any]]:
    """Yield the parts of a message; the profile names each event after its type."""
    usage = {"input_tokens": 0, "output_tokens": 0}
    head = {"id": "1", "type": "message", "role": "assistant", "model": "echo", "content": [], "usage": usage}
    yield {"type": "message_start", "message": {**head, "stop_reason": None, "stop_sequence": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    async for token in tokens():
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": token}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


async def events() -> AsyncIterator[dict[str, Any]]:
    """Yield the events of an agent's run; the models of `ag_ui.core` do as well."""
    run = {"threadId": "1", "runId": "1"}
    yield {"type": "RUN_STARTED", **run}
    yield {"type": "TEXT_MESSAGE_START", "messageId": "1", "role": "assistant"}
    async for token in tokens():
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "1", "delta": token}
    yield {"type": "TEXT_MESSAGE_END", "messageId": "1"}
    yield {"type": "RUN_FINISHED", **run}


@app.post("/v1/chat/completions")
async def completions(stream: Stream) -> Response:
    """Answer as OpenAI's API does."""
    return stream(sa.sse(chunks(), profile="openai"))


@app.post("/api/chat")
async def chat(stream: Stream) -> Response:
    """Answer as the route of a `useChat` does."""
    return stream(sa.sse(parts(), profile="ai-sdk"))


@app.post("/v1/messages")
async def messages(stream: Stream) -> Response:
    """Answer as Anthropic's API does."""
    return stream(sa.sse(message(), profile="anthropic"))


@app.post("/agent")
async def agent(stream: Stream) -> Response:
    """Answer as an agent of the AG-UI protocol does."""
    return stream(sa.sse(events(), profile="ag-ui"))
