"""Files have threads of their own: streams that hold all of the other threads do not refuse a download."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stream_adapter as sa
from stream_adapter.files._body import FileBody
from stream_adapter.integration import AsyncBody, RequestHead
from tests.support.gate import BOUND, Gate
from tests.support.interfaces import acall_asgi

CONTENT = bytes(range(251)) * 8357  # two blocks of a period that no block has


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    sa.configure(max_threads=1)
    yield
    sa.configure()


def waiting(gate: Gate) -> Iterator[bytes]:
    yield b"a"
    gate.wait()


DOWNLOADS: dict[str, tuple[Callable[[Path], sa.Response], dict[str, str], bytes]] = {
    "large": (sa.file, {}, CONTENT),
    "below a root": (lambda path: sa.file(path.name, root=path.parent), {}, CONTENT),
    "a range": (sa.file, {"Range": "bytes=10-1500000"}, CONTENT[10:1500001]),
    "small": (sa.file, {"Range": "bytes=10-19"}, CONTENT[10:20]),
    "an open file": (lambda path: sa.file(path.open("rb")), {}, CONTENT),
    "bytes": (lambda path: sa.file(io.BytesIO(path.read_bytes()[:1000])), {}, CONTENT[:1000]),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("make", "headers", "content"), DOWNLOADS.values(), ids=DOWNLOADS)
def test_files_are_served_while_streams_hold_every_thread(
    path: Path, make: Callable[[Path], sa.Response], headers: dict[str, str], content: bytes
) -> None:
    gate = Gate()

    async def calls() -> None:
        stream = AsyncBody(sa.Response(waiting(gate)).resolve(RequestHead()))
        assert await stream.next() == b"a"
        assert (await acall_asgi(sa.Response(waiting(gate)))).status == 503
        answer = await asyncio.wait_for(acall_asgi(make(path), headers=[*headers.items()]), BOUND)
        assert (answer.body, answer.complete) == (content, True)
        gate.open()
        await stream.aclose()

    asyncio.run(calls())


@pytest.mark.usefixtures("one_thread")
def test_a_download_that_is_not_read_holds_no_thread(path: Path) -> None:
    async def calls() -> None:
        idle = [AsyncBody(await sa.file(path).aresolve(RequestHead())) for _ in range(50)]
        for body in idle:
            assert await body.next()
        answer = await asyncio.wait_for(acall_asgi(sa.Response(iter([b"a"]))), BOUND)
        assert (answer.status, answer.body) == (200, b"a")
        for body in idle:
            await body.aclose()

    asyncio.run(calls())
    assert not open_descriptors(path)


def open_descriptors(path: Path) -> list[str]:
    links = (f"/proc/self/fd/{descriptor}" for descriptor in os.listdir("/proc/self/fd"))
    return [link for link in links if os.path.exists(link) and os.path.realpath(link) == str(path.resolve())]


def test_a_file_that_is_closed_in_mid_read_is_closed_after_that_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on, order = threading.Event(), threading.Event(), list[str]()

    class Slow(FileBody):
        def __next__(self) -> bytes:
            reading.set()
            assert go_on.wait(BOUND)
            order.append("read")
            return super().__next__()

    monkeypatch.setattr("stream_adapter.files._response.FileBody", Slow)

    async def calls() -> None:
        body = AsyncBody(await sa.file(path).aresolve(RequestHead()))
        step = asyncio.create_task(body.next())
        assert await asyncio.to_thread(reading.wait, BOUND)
        step.cancel()  # it closes the body, and waits for the thread
        await asyncio.sleep(0)
        assert open_descriptors(path), "it was closed while a thread was reading"
        go_on.set()
        await asyncio.wait([step])
        await body.aclose()
        assert not open_descriptors(path)

    asyncio.run(calls())
    assert set(order) == {"read"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the other threads are why this is tested
def test_a_forked_process_reads_files_by_threads_of_its_own(path: Path) -> None:
    def body() -> bytes:
        return asyncio.run(acall_asgi(sa.file(path))).body

    assert body() == CONTENT
    child = os.fork()
    if not child:
        os._exit(0 if body() == CONTENT else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
