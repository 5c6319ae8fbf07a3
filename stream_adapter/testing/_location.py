"""The location of a thread or task, for the message of a test that waits for it."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from types import FrameType
from typing import Any

__all__ = ["task_location", "thread_location"]

_FRAMES = 4  # the innermost, which are the application's


def thread_location(thread: threading.Thread) -> str:
    """Describe where a thread is."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # documented, in spite of its name
    if frame is None:
        return "Its thread has just ended."
    return "It is here:\n" + "".join(traceback.format_stack(frame)[-_FRAMES:]).rstrip()


def task_location(task: asyncio.Task[Any]) -> str:
    """Describe where a task waits, as far as coroutines show what they await."""
    frames: list[tuple[FrameType, int]] = []
    awaiting: Any = task.get_coro()
    while (frame := getattr(awaiting, "cr_frame", None)) is not None:
        frames.append((frame, frame.f_lineno))
        awaiting = awaiting.cr_await
    summary = traceback.StackSummary.extract(iter(frames))
    return "It is here:\n" + "".join(summary.format()[-_FRAMES:]).rstrip()
