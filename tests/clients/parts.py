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
_ANTHROPIC: list[object] = [
    {
        "type": "message_start",
        "message": {
            "id": "1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 0},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in WORDS),
]
_ANTHROPIC_END: list[object] = [
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 3},
    },
    {"type": "message_stop"},
]


def _agent(*, fails: bool) -> list[object]:
    """Return the events of a run, as the models of the protocol's own package."""
    from ag_ui import core  # noqa: PLC0415  # asked for by its own tests only

    begin = [core.RunStartedEvent(thread_id="1", run_id="1"), core.TextMessageStartEvent(message_id="t")]
    words = [core.TextMessageContentEvent(message_id="t", delta=word) for word in WORDS]
    end = [core.TextMessageEndEvent(message_id="t"), core.RunFinishedEvent(thread_id="1", run_id="1")]
    return [*begin, *words] if fails else [*begin, *words, *end]


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
        silence: set when a keepalive is sent, for which each part waits: there is one before each.
        fails: whether it breaks instead of its end.
    """
    if profile == "openai":
        items = _RESPONSES if api == "responses" else _COMPLETIONS
        return sa.sse(_source(items, silence, fails=fails), keepalive=0.01, profile="openai")
    if profile == "anthropic":
        items = _ANTHROPIC if fails else _ANTHROPIC + _ANTHROPIC_END
        return sa.sse(_source(items, silence, fails=fails), keepalive=0.01, profile="anthropic")
    if profile == "ag-ui":
        return sa.sse(_source(_agent(fails=fails), silence, fails=fails), keepalive=0.01, profile="ag-ui")
    message = _MESSAGE if fails else _MESSAGE + _MESSAGE_END
    return sa.sse(_source(message, silence, fails=fails), keepalive=0.01, profile="ai-sdk")
