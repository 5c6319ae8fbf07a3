"""Which thread a source runs in, how many there may be, and what a fork leaves of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

import stream_adapter as sa
from stream_adapter.integration import AsyncBody, CapacityError, RequestHead, run_coroutine
from tests.support.gate import BOUND, Gate
from tests.support.interfaces import acall_asgi, call_asgi, call_wsgi
from tests.support.sources import AsyncCountingSource, CountingSource


def test_a_sync_source_under_asgi_has_one_thread_for_its_life_and_not_the_loops() -> None:
    source = CountingSource([b"x"] * 50)
    answer = call_asgi(sa.Response(source, limits=sa.Limits(max_items=1)))
    assert answer.body == b"x" * 50
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads


def test_a_sync_source_under_asgi_that_is_abandoned_is_closed_in_its_thread() -> None:
    source = CountingSource([b"x"] * 50)
    call_asgi(sa.Response(source, flush="item", limits=sa.Limits(max_items=1)), leave_after=1)
    assert source.closes == 1
    assert len(source.threads) == 1


def test_a_sync_source_under_wsgi_stays_in_the_requests_thread() -> None:
    source = CountingSource([b"x"] * 50)
    call_wsgi(sa.Response(source))
    assert source.threads == {threading.get_ident()}


def test_async_sources_under_wsgi_share_one_loop_thread_with_coroutines_that_are_run() -> None:
    first, second = AsyncCountingSource([b"x"] * 50), AsyncCountingSource([b"x"])
    call_wsgi(sa.Response(first, limits=sa.Limits(max_items=1)))
    call_wsgi(sa.Response(second))

    async def ident() -> int:
        return threading.get_ident()

    assert first.threads == second.threads == {run_coroutine(ident())}
    assert threading.get_ident() not in first.threads


def test_an_async_source_under_asgi_stays_on_the_servers_loop() -> None:
    source = AsyncCountingSource([b"x"] * 50)
    call_asgi(sa.Response(source))
    assert source.threads == {threading.get_ident()}


def test_running_a_coroutine_on_the_loop_from_the_loop_is_an_error_and_no_deadlock() -> None:
    async def inner() -> None:
        """Never run."""

    async def outer() -> None:
        run_coroutine(inner())

    with pytest.raises(RuntimeError, match="this would block the event loop on which it is to run"):
        run_coroutine(outer())


def test_iter_bytes_of_an_async_source_on_the_loop_thread_is_an_error_and_no_deadlock() -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"a"

    async def blocks() -> bytes:
        return b"".join(sa.iter_bytes(source()))

    with pytest.raises(RuntimeError, match="this would block the event loop"):
        asyncio.run_coroutine_threadsafe(blocks(), _loop()).result(BOUND)


def _loop() -> asyncio.AbstractEventLoop:
    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    return run_coroutine(running())


@pytest.fixture
def one_thread() -> Iterator[None]:
    sa.configure(max_threads=1)
    yield
    sa.configure()


def waiting(gate: Gate) -> Iterator[bytes]:
    yield b"a"
    gate.wait()
    yield b"b"


@pytest.mark.usefixtures("one_thread")
def test_past_the_cap_a_request_is_answered_503_with_retry_after_and_its_source_is_closed() -> None:
    gate, refused = Gate(), [CountingSource([b"a"]), CountingSource([b"a"])]

    async def calls() -> None:
        body = AsyncBody(sa.Response(waiting(gate)).resolve(RequestHead()))
        assert await body.next() == b"a"
        asgi = await asyncio.wait_for(acall_asgi(sa.Response(refused[0])), BOUND)
        wsgi = call_wsgi(sa.Response(refused[1], commit_after=0))
        for answer in (asgi, wsgi):
            assert (answer.status, answer.body, answer.complete) == (503, b"", True)
            assert answer.header("retry-after") == ["1"]
            assert answer.header("content-length") == ["0"]
        with pytest.raises(CapacityError, match=r"configure\(max_threads=…\)"):
            sa.iter_bytes(waiting(gate), limits=sa.Limits(idle_timeout=60)).__next__()
        gate.open()
        assert await body.next() == b"b"
        assert await body.next() is None
        await body.aclose()

    asyncio.run(calls())
    assert [source.closes for source in refused] == [1, 1]
    assert call_asgi(sa.Response(CountingSource([b"a"]))).body == b"a", "the thread was given back"


@pytest.mark.usefixtures("one_thread")
def test_lists_and_async_sources_need_no_thread() -> None:
    gate = Gate()

    async def calls() -> None:
        body = AsyncBody(sa.Response(waiting(gate)).resolve())
        assert await body.next() == b"a"
        assert (await acall_asgi(sa.Response([b"a"]))).body == b"a"
        assert (await acall_asgi(sa.Response(AsyncCountingSource([b"a"])))).body == b"a"
        gate.open()
        await body.aclose()

    asyncio.run(calls())


FORKING = """
import os, sys, threading
import stream_adapter as sa

async def rows():
    yield b"a"
    yield b"b"

def timed(rows):
    return sa.iter_bytes(rows, limits=sa.Limits(idle_timeout=60))

def check():
    assert b"".join(sa.iter_bytes(rows())) == b"ab"
    assert b"".join(timed(iter([b"a", b"b"]))) == b"ab"

check()
half_read = [sa.iter_bytes(rows()), timed(iter([b"a", b"b"]))]
for chunks in half_read:
    assert next(chunks) == b"a"
child = os.fork()
if child == 0:
    check()
    print("child", flush=True)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
for chunks in half_read:
    assert b"".join(chunks) == b"b"
check()
print("parent")
"""


def test_a_forked_child_starts_threads_and_a_loop_of_its_own_and_the_parents_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.stdout.split() == ["child", "parent"], done.stderr


AT_EXIT = """
import stream_adapter as sa

async def rows():
    try:
        yield b"a"
        yield b"b"
    finally:
        print("closed", flush=True)

chunks = sa.iter_bytes(rows())
next(chunks)
"""


def test_at_the_end_of_the_process_async_sources_are_closed() -> None:
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=BOUND, check=False)
    assert (done.stdout, done.returncode) == ("closed\n", 0), done.stderr
