"""What the tasks of every job queue call: `BROKER` is the broker's URL, and `NOTES` a file of what has happened."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import stream_adapter as sa

LIMIT = 5  # seconds that the queue gives the task that has a limit: a busy machine needs one to import it
LEASE = 30.0  # longer than a test waits for the end of a run: none of them is found lost

live = sa.Broker(os.environ["BROKER"], publish_timeout=20.0)


def note(line: str) -> None:
    """Append a line that the test reads."""
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{line}\n")


def answer(key: str, prompt: str) -> Generator[str]:
    """Yield the words of a prompt; "wait" is yielded until the run is stopped, and "fail" raises."""
    try:
        for word in prompt.split():
            if word == "fail":
                raise ValueError("the model is not there")
            yield word
            while word == "wait":
                time.sleep(0.02)
                yield word
    finally:
        note(f"{key} closed")


async def async_answer(key: str, prompt: str) -> AsyncGenerator[str]:
    """Yield the same from an async source."""
    for word in answer(key, prompt):
        yield word


def write(key: str, prompt: str, source: Callable[[str, str], Any] = answer) -> str:
    """Produce a run in the calling task; return how it has ended."""
    try:
        status = live.produce(key, source(key, prompt), lease=LEASE).status
    except BaseException as error:
        note(f"{key} raised {type(error).__name__}")
        raise
    note(f"{key} {status}")
    return status
