"""What a source may do to its run, and to the process that produces it."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

import stream_adapter as sa

from .sources import body_of, fields_of


def _exits() -> Generator[str]:
    yield "one"
    sys.exit(3)


async def _exits_on_the_loop() -> AsyncGenerator[str]:
    yield "one"
    sys.exit(3)


def _is_interrupted() -> Generator[str]:
    yield "one"
    raise KeyboardInterrupt


@pytest.mark.parametrize("factory", [_exits, _exits_on_the_loop, _is_interrupted])
def test_source_that_exits_ends_its_run_with_an_error_and_not_the_server_s_loop(
    live: sa.Broker, factory: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> bytes:
        return await body_of(sa.sse(live.run("a", factory)))

    with caplog.at_level(logging.ERROR):
        received = fields_of(asyncio.run(use()))
    assert [event["data"] for event in received[:-1]] == ["one"]
    assert received[-1]["data"]["run"] == "error"
    [record] = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Exception)
    assert isinstance(record.exc_info[1].__cause__, (SystemExit, KeyboardInterrupt))
