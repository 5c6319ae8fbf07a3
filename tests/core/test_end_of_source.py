"""A sync source is not asked again after its end: one that reads a queue would wait without end."""

from __future__ import annotations

import pytest

import stream_adapter as sa
from stream_adapter.types import Flush
from tests.support.interfaces import call_asgi, call_wsgi


class EndsOnce:
    """An iterator that fails if it is asked once more after it has ended."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __iter__(self) -> EndsOnce:
        return self

    def __next__(self) -> str:
        self.left -= 1
        if self.left == -1:
            raise StopIteration
        assert self.left >= 0, "asked again after its end"
        return "x"


@pytest.mark.parametrize("flush", ["auto", "bulk"])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
@pytest.mark.parametrize("call", [call_wsgi, call_asgi], ids=["wsgi", "asgi"])
def test_source_is_not_asked_again_after_its_end_at_any_buffer_level(call: object, count: int, flush: Flush) -> None:
    app = sa.Response(EndsOnce(count), flush=flush, limits=sa.Limits(max_items=8))
    answer = call_wsgi(app.wsgi) if call is call_wsgi else call_asgi(app.asgi)
    assert answer.error is None
    assert answer.body == b"x" * count


class BeginsAgain:
    """An iterator that begins again whenever it is asked for an iterator."""

    def __init__(self) -> None:
        self.left = 0

    def __iter__(self) -> BeginsAgain:
        self.left = 20
        return self

    def __next__(self) -> str:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return "x"


@pytest.mark.parametrize("flush", ["auto", "bulk"])
@pytest.mark.parametrize("call", [call_wsgi, call_asgi], ids=["wsgi", "asgi"])
def test_source_that_begins_again_when_iterated_is_sent_once_however_often_it_pauses(
    call: object, flush: Flush
) -> None:
    app = sa.Response(BeginsAgain(), flush=flush, limits=sa.Limits(max_items=3))
    answer = call_wsgi(app.wsgi) if call is call_wsgi else call_asgi(app.asgi)
    assert answer.error is None
    assert answer.body == b"x" * 20
