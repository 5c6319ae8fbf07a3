"""When status and headers go out, and what keeps the connection alive after that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import stream_adapter as sa
from stream_adapter.formats import Format
from tests.support.gate import Gate
from tests.support.interfaces import Call, Watcher, four_paths

KEEPALIVE = b":\n"


class OpensAtStart(Watcher):
    """Opens the gate when the status line goes out."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.started = False

    def on_start(self) -> None:
        self.started = True
        self.gate.open()


def gated(way: str, gate: Gate, before: list[object], after: list[object]) -> object:
    """Give a source that yields, waits for the gate, and yields again, or raises."""

    def raise_or_return(item: object) -> object:
        if isinstance(item, Exception):
            raise item
        return item

    def sync() -> Iterator[object]:
        yield from before
        gate.wait()
        yield from map(raise_or_return, after)

    async def asynchronous() -> object:
        for item in before:
            yield item
        await gate.wait_async()
        for item in map(raise_or_return, after):
            yield item

    return sync() if way == "sync" else asynchronous()


@four_paths
def test_no_status_line_goes_out_before_the_first_item(way: str, call: Call) -> None:
    watcher, started_at_item = OpensAtStart(), list[bool]()

    def sync() -> Iterator[bytes]:
        started_at_item.append(watcher.started)
        yield b"a"

    async def asynchronous() -> object:
        started_at_item.append(watcher.started)
        yield b"a"

    call(sa.Response(sync() if way == "sync" else asynchronous()), watcher=watcher)
    assert started_at_item == [False]


@four_paths
@pytest.mark.parametrize("flush", ["auto", "item", "bulk"])
def test_after_commit_after_the_status_line_goes_out_without_an_item(way: str, flush: str, call: Call) -> None:
    watcher = OpensAtStart()
    source = gated(way, watcher.gate, [], [b"a", b"b"])  # it waits for the status line
    answer = call(sa.Response(source, commit_after=0.01, flush=flush, media_type="text/csv"), watcher=watcher)  # type: ignore[arg-type]  # a table of literals
    assert (answer.status, answer.body, answer.complete) == (200, b"ab", True)


@four_paths
def test_format_undecided_at_commit_after_becomes_text(way: str, call: Call) -> None:
    watcher = OpensAtStart()
    answer = call(sa.Response(gated(way, watcher.gate, [], [{"a": 1}, "b"]), commit_after=0.01), watcher=watcher)
    assert answer.header("content-type") == ["text/plain; charset=utf-8"]
    assert answer.body == b'{"a":1}b'


@four_paths
def test_an_error_within_commit_after_is_the_servers_to_answer(way: str, call: Call) -> None:
    gate = Gate()
    gate.open()
    answer = call(sa.Response(gated(way, gate, [], [LookupError("no")]), commit_after=60))
    assert answer.status is None
    assert isinstance(answer.error, LookupError)


@four_paths
def test_an_error_after_commit_after_breaks_the_response(way: str, call: Call) -> None:
    watcher = OpensAtStart()
    answer = call(sa.sse(gated(way, watcher.gate, [], [LookupError("no")]), commit_after=0.01), watcher=watcher)
    assert answer.status == 200
    assert answer.body.startswith(b"retry: 2000\nevent: error\n")
    assert not answer.complete
    assert isinstance(answer.error, LookupError)


@four_paths
def test_an_event_stream_has_its_prelude_before_its_first_event(way: str, call: Call) -> None:
    class OpensAtPrelude(Watcher):
        gate = Gate()

        def on_block(self, block: bytes) -> None:
            if block == b"retry: 5\n":
                self.gate.open()

    watcher = OpensAtPrelude()
    answer = call(sa.sse(gated(way, watcher.gate, [], ["a"]), retry=5, commit_after=0), watcher=watcher)
    assert answer.body == b"retry: 5\ndata: a\n\n"


class OpensAtKeepalive(Watcher):
    """Opens the gate when it has seen a number of keepalives."""

    def __init__(self, count: int = 1) -> None:
        self.gate = Gate()
        self._left = count

    def on_block(self, block: bytes) -> None:
        if block == KEEPALIVE:
            self._left -= 1
            if not self._left:
                self.gate.open()


@four_paths
def test_a_silent_event_stream_is_kept_alive_between_its_events(way: str, call: Call) -> None:
    watcher = OpensAtKeepalive(3)
    answer = call(sa.sse(gated(way, watcher.gate, ["a"], ["b"]), keepalive=0.01, retry=None), watcher=watcher)
    assert answer.complete
    first, *kept, last = answer.blocks
    assert (first, last) == (b"data: a\n\n", b"data: b\n\n")
    assert set(kept) == {KEEPALIVE}
    assert len(kept) >= 3


@four_paths
def test_an_event_stream_is_kept_alive_before_its_first_event(way: str, call: Call) -> None:
    watcher = OpensAtKeepalive()
    answer = call(
        sa.sse(gated(way, watcher.gate, [], ["b"]), keepalive=0.01, retry=None, commit_after=0), watcher=watcher
    )
    assert answer.blocks[-1] == b"data: b\n\n"
    assert set(answer.blocks[:-1]) == {KEEPALIVE}


class Framed(Format):
    """Frames that are made already, with a keepalive that is soon due."""

    media_type = "text/event-stream"
    keepalive = 0.01
    keepalive_frame = KEEPALIVE

    def encode(self, item: bytes) -> bytes:
        return item


@four_paths
@pytest.mark.parametrize(
    "chunks", [[b"data: a\n\n"], [b"data: a\r\n\r\n"], [b"data: a\r\r"], [b"data: a\n", b"\n"], [b"data: a\n\n", b""]]
)
def test_a_keepalive_may_follow_the_end_of_a_frame(chunks: list[object], way: str, call: Call) -> None:
    watcher = OpensAtKeepalive()
    answer = call(sa.Response(gated(way, watcher.gate, chunks, [b"data: b\n\n"]), format=Framed()), watcher=watcher)
    assert answer.complete
    assert KEEPALIVE in answer.blocks


@four_paths
@pytest.mark.parametrize("chunk", [b"data: a\n", b"data: a\r\n", b"data: a"])
def test_a_keepalive_never_lands_inside_a_frame(chunk: object, way: str, call: Call) -> None:
    gate = Gate()
    response = sa.Response(
        gated(way, gate, [chunk], []),
        format=Framed(),
        limits=sa.Limits(idle_timeout=0.25),  # many keepalives are due until it passes; a first item is sooner
        on_error=lambda _: gate.open(),
    )
    answer = call(response)
    assert answer.blocks == [chunk]
    assert isinstance(answer.error, sa.StreamTimeoutError)
