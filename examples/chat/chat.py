"""A chat whose answers survive a reload, a second tab and a change of worker; the part that no framework sees.

An answer is a run: a generator that is started once, writes to the broker, and goes on without its client. Each tab
that may see the chat joins it, from the start or after the last event that the browser has. Messages are in a
SQLite file.

    CHAT_FOLDER      where that file is, and the broker's (default: a folder in the system's temporary one)
    CHAT_BROKER      the broker, such as redis://localhost:6379/0 (default: a SQLite file, which several workers share)
    CHAT_MODEL_URL   an OpenAI-compatible API, such as http://localhost:11434/v1 (default: a model that makes words up)
    CHAT_MODEL       the model's name there; CHAT_MODEL_KEY its key
    CHAT_DELAY       seconds between two words of the made-up model
"""

import asyncio
import json
import os
import secrets
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import stream_adapter as sa

STATIC = Path(__file__).parent / "static"
FOLDER = Path(os.environ.get("CHAT_FOLDER") or Path(tempfile.gettempdir(), "stream_adapter_chat"))
FOLDER.mkdir(parents=True, exist_ok=True)

live = sa.Broker(os.environ.get("CHAT_BROKER") or f"sqlite:///{FOLDER / 'broker.db'}", prefix="chat")

ANSWER = "This answer is written once , by one worker . Reload , open a second tab , or press stop . "


def new_owner() -> str:
    """Return what a browser's cookie says."""
    return secrets.token_urlsafe(16)


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open the file, in a transaction."""
    with closing(sqlite3.connect(FOLDER / "messages.db", timeout=10)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS chats (chat TEXT PRIMARY KEY, owner TEXT NOT NULL)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS messages (chat TEXT, number INTEGER, role TEXT, text TEXT, status TEXT,"
            " PRIMARY KEY (chat, number))"
        )
        with connection:
            yield connection


def allows(chat: str, owner: str | None) -> bool:
    """Return True if this browser may see the chat. The first one that asks owns it; every request asks again."""
    if not owner or not chat.replace("-", "").isalnum() or len(chat) > 64:
        return False
    with database() as connection:
        connection.execute("INSERT OR IGNORE INTO chats VALUES (?, ?)", (chat, owner))
        return connection.execute("SELECT owner FROM chats WHERE chat = ?", (chat,)).fetchone() == (owner,)


def messages(chat: str) -> list[dict[str, Any]]:
    """Return what was said. An answer that is being written has the status "running"."""
    with database() as connection:
        rows = connection.execute(
            "SELECT number, role, text, status FROM messages WHERE chat = ? ORDER BY number", (chat,)
        )
        return [dict(zip(("number", "role", "text", "status"), row, strict=True)) for row in rows]


def say(chat: str, text: str) -> int:
    """Store a message, start its answer, and return the answer's number."""
    with database() as connection:
        connection.execute("BEGIN IMMEDIATE")
        (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM messages WHERE chat = ?", (chat,)).fetchone()
        number: int = last + 2
        add = "INSERT INTO messages VALUES (?, ?, ?, ?, ?)"
        connection.execute(add, (chat, number - 1, "user", text[:10_000], "done"))
        connection.execute(add, (chat, number, "assistant", "", "running"))
    live.run(_key(chat, number), answer, chat, number, timeout=300).start()
    live.publish(chat, {"number": number}, event="said")  # to the other tabs
    return number


async def answer(chat: str, number: int) -> AsyncIterator[str]:
    """Ask the model, and store what it has said, also when it is stopped or fails."""
    history = [message for message in messages(chat) if message["number"] < number]
    text, status = "", "stopped"
    try:
        async for token in model(history):
            text += token
            yield token
        status = "done"
    except Exception:
        status = "failed"
        raise
    finally:
        with database() as connection:
            connection.execute(
                "UPDATE messages SET text = ?, status = ? WHERE chat = ? AND number = ?", (text, status, chat, number)
            )


def follow(chat: str, number: int) -> sa.Response | None:
    """Return the stream of an answer; None if it is not being written, nor was lately."""
    run = live.join(_key(chat, number), wait=1.0)  # it may be about to begin
    if run is not None:
        return sa.sse(run)
    with database() as connection:  # of a worker that was killed, and stored nothing
        connection.execute(
            "UPDATE messages SET status = 'failed' WHERE chat = ? AND number = ? AND status = 'running'", (chat, number)
        )
    return None


def news(chat: str) -> sa.Response:
    """Return the stream that tells a tab of what another one has said."""
    return sa.sse(live.subscribe(chat))


def stop(chat: str, number: int, run: str) -> bool:
    """Stop an answer, wherever it is written; never another one."""
    return live.cancel(_key(chat, number), run=run)


def _key(chat: str, number: int) -> str:
    return f"{chat}:{number}"


async def model(history: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Yield the tokens of an answer."""
    url = os.environ.get("CHAT_MODEL_URL")
    if url:
        async for token in _remote_model(url, history):
            yield token
        return
    for number, word in enumerate(ANSWER.split() * 2):
        if number == 5 and "fail" in history[-1]["text"]:
            raise ConnectionError("the model is not there")  # the browser gets a generic error, the log this one
        yield f"{word} "
        await asyncio.sleep(float(os.environ.get("CHAT_DELAY") or 0.1))


async def _remote_model(url: str, history: list[dict[str, Any]]) -> AsyncIterator[str]:
    import httpx2  # noqa: PLC0415  # only a real model needs it

    asked = {
        "model": os.environ.get("CHAT_MODEL", ""),
        "stream": True,
        "messages": [{"role": message["role"], "content": message["text"]} for message in history],
    }
    headers = {"Authorization": f"Bearer {os.environ.get('CHAT_MODEL_KEY', '')}"}
    async with (
        httpx2.AsyncClient(timeout=60) as client,
        client.stream("POST", f"{url.rstrip('/')}/chat/completions", json=asked, headers=headers) as response,
    ):
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line.removeprefix("data: "))["choices"]:
                    if token := choice["delta"].get("content"):
                        yield token
