"""Content that is iterated by its numbered items alone, and content that cannot be streamed, whose error says how."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.errors import SourceError
from tests.support.interfaces import either_interface


class Numbered:
    """What Python iterates by `[0]`, `[1]` and so on: a data set of PyTorch, for one."""

    def __init__(self) -> None:
        self.closes = 0

    def __getitem__(self, index: int) -> str:
        if index > 2:
            raise IndexError
        return str(index)

    def close(self) -> None:
        self.closes += 1


@either_interface
def test_content_with_numbered_items_alone_is_streamed_and_closed(call: Any) -> None:
    source = Numbered()
    assert call(sa.Response(source)).body == b"012"
    assert source.closes == 1


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (queue.Queue[int](), "got queue.Queue; iterate it until an item that ends it: iter(queue.get, None)"),
        (asyncio.Queue[int](), "Queue; write an async generator that yields what its get() returns"),
        (Path("a"), "Path; send the file by sa.file(path)"),
        (sa.ServerSentEvent("a"), "got stream_adapter.ServerSentEvent; send it by sa.sse([event])"),
        (concurrent.futures.Future[int](), "Future; give its result(), or asyncio.wrap_future(future)"),
    ],
    ids=["queue", "asyncio queue", "path", "event", "future"],
)
def test_error_of_content_that_cannot_be_streamed_says_what_to_write(content: object, remedy: str) -> None:
    with pytest.raises(SourceError) as caught:
        sa.Response(content)
    assert remedy in str(caught.value)


def test_error_of_a_socket_and_a_process_says_what_to_read() -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(SourceError, match=r'socket; give socket.makefile\("rb"\)'):
        sa.Response(near)
    with subprocess.Popen([sys.executable, "-c", ""]) as process, pytest.raises(SourceError, match="give its stdout"):
        sa.Response(process)
