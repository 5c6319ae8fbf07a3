"""What services of AI stream, as their own clients expect it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import stream_adapter as sa

__all__ = ["SECRET", "WORDS", "parts"]

SECRET = "the text of the exception"  # what no client may read
WORDS = ["Hold", " nothing", " back ☃\n"]


def _completion(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


_COMPLETIONS: list[object] = [*map(_completion, WORDS)]
_RESPONSES: list[object] = [
    sa.ServerSentEvent({"type": "response.output_text.delta", "delta": word}, event="response.output_text.delta")
    for word in WORDS
]
_MESSAGE: list[object] = [
    {"type": "start", "messageId": "1"},
    {"type": "text-start", "id": "t"},
    *({"type": "text-delta", "id": "t", "delta": word} for word in WORDS),
]
_MESSAGE_END: list[object] = [{"type": "text-end", "id": "t"}, {"type": "finish"}]


async def _source(parts: list[object], silence: asyncio.Event, *, fails: bool) -> AsyncIterator[object]:
    for part in parts:
        await silence.wait()
        silence.clear()
        yield part
    if fails:
        raise LookupError(SECRET)


def parts(profile: str, api: str, silence: asyncio.Event, *, fails: bool) -> sa.Response:
    """Return the stream of a profile.

    Args:
        profile: its name.
        api: what of the profile's API is asked for.
        silence: set when a comment is sent, for which each part waits: there is one before each.
        fails: whether it breaks instead of its end.
    """
    if profile == "openai":
        items = _RESPONSES if api == "responses" else _COMPLETIONS
        return sa.sse(_source(items, silence, fails=fails), keepalive=0.01, profile="openai")
    message = _MESSAGE if fails else _MESSAGE + _MESSAGE_END
    return sa.sse(_source(message, silence, fails=fails), keepalive=0.01, profile="ai-sdk")
