"""Context variables: one copy per stream, used for every step and for the close."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextvars import ContextVar

import stream_adapter as sa
from tests.support.interfaces import Call, four_paths

variable: ContextVar[str] = ContextVar("variable", default="unset")


def sync_source(seen: list[str]) -> Generator[bytes]:
    seen.append(variable.get())
    variable.set("the source's")
    try:
        yield b"a"
        seen.append(variable.get())
        yield b"b"
        seen.append(variable.get())
        variable.set("the source's second")
        while True:
            yield b"c"
    finally:
        seen.append(variable.get())


async def async_source(seen: list[str]) -> AsyncIterator[bytes]:
    for_steps = sync_source(seen)
    try:
        for chunk in for_steps:
            yield chunk
    finally:
        for_steps.close()


EXPECTED = ["the request's", "the source's", "the source's", "the source's second"]


@four_paths
def test_source_sees_variables_of_the_request_and_keeps_its_own_between_steps(way: str, call: Call) -> None:
    seen: list[str] = []
    token = variable.set("the request's")
    try:
        source = sync_source(seen) if way == "sync" else async_source(seen)
        response = sa.Response(source, flush="item", limits=sa.Limits(max_items=1))
        call(response, leave_after=4)
        assert seen == EXPECTED
        assert variable.get() == "the request's", "what the source sets does not leak out"
    finally:
        variable.reset(token)


@four_paths
def test_streams_do_not_see_each_others_variables(way: str, call: Call) -> None:
    for _ in range(2):
        seen: list[str] = []
        call(sa.Response(sync_source(seen) if way == "sync" else async_source(seen)), leave_after=1)
        assert seen[0] == "unset"


@four_paths
def test_an_awaitable_and_the_source_it_gives_share_one_context(way: str, call: Call) -> None:
    seen: list[str] = []

    async def opens() -> object:
        seen.append(variable.get())
        variable.set("the awaitable's")
        return sync_source(seen) if way == "sync" else async_source(seen)

    token = variable.set("the request's")
    try:
        call(sa.Response(opens()), leave_after=1)
    finally:
        variable.reset(token)
    assert seen[:2] == ["the request's", "the awaitable's"]


@four_paths
def test_stream_with_a_deadline_keeps_one_context_for_its_steps(way: str, call: Call) -> None:
    seen: list[str] = []
    source = sync_source(seen) if way == "sync" else async_source(seen)
    response = sa.Response(source, limits=sa.Limits(idle_timeout=60, max_items=1), flush="item")
    call(response, leave_after=4)
    assert seen == ["unset", *EXPECTED[1:]]
