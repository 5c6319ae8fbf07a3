"""The parts of AI streams."""

from __future__ import annotations

from collections.abc import AsyncIterator

import stream_adapter as sa

__all__ = ["SECRET", "parts"]

SECRET = "the text of the exception"
WORDS = ["Hold", " nothing", " back ☃\n"]


async def _failing(parts: list[object], *, fails: bool) -> AsyncIterator[object]:
    for part in parts:
        yield part
    if fails:
        raise LookupError(SECRET)


def _completion(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


_COMPLETIONS: list[object] = [*map(_completion, WORDS)]
_MESSAGE: list[object] = [
    {"type": "start", "messageId": "1"},
    {"type": "text-start", "id": "t"},
    *({"type": "text-delta", "id": "t", "delta": word} for word in WORDS),
]
_MESSAGE_END: list[object] = [{"type": "text-end", "id": "t"}, {"type": "finish"}]


def parts(profile: str, fails: bool) -> sa.Response:
    """Return the stream of a profile, comments between its parts."""
    if profile == "openai":
        return sa.sse(_failing(_COMPLETIONS, fails=fails), profile="openai")
    return sa.sse(_failing(_MESSAGE + ([] if fails else _MESSAGE_END), fails=fails), profile="ai-sdk")
