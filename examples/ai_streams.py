"""The output of a language model, as clients of OpenAI's API and of Vercel's AI SDK expect it.

pip install 'stream-adapter[fastapi]' uvicorn openai
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


@app.post("/v1/chat/completions")
async def completions(stream: Stream) -> Response:
    """Answer as OpenAI's API does."""
    return stream(sa.sse(chunks(), profile="openai"))


@app.post("/api/chat")
async def chat(stream: Stream) -> Response:
    """Answer as the route of a `useChat` does."""
    return stream(sa.sse(parts(), profile="ai-sdk"))
