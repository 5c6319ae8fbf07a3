"""The buffer, compared with a model over every short sequence of operations."""

from __future__ import annotations

import itertools
import threading

import pytest

from stream_adapter._pump import Buffer

STEPS = {"": b"", "1": b"x", "2": b"yy"}
TAKES = ("take", "join")


@pytest.mark.parametrize(("high_water", "max_items"), [(1, 1), (2, 3), (3, 2), (100, 2), (3, 100)])
def test_every_sequence_of_puts_and_takes_agrees_with_a_list(high_water: int, max_items: int) -> None:
    for steps in itertools.product([*STEPS, *TAKES], repeat=5):
        buffer, model, put = Buffer(high_water, max_items), list[bytes](), 0
        for step in steps:
            if step == "take":
                assert buffer.take() == model
                model.clear()
            elif step == "join":
                assert buffer.take_joined() == b"".join(model)
                model.clear()
            else:
                model.append(STEPS[step])
                put += 1
                full = sum(map(len, model)) >= high_water or len(model) >= max_items
                assert buffer.put(STEPS[step]) == full
            assert buffer.items == model
            assert buffer.is_full() == (sum(map(len, model)) >= high_water or len(model) >= max_items)
            assert buffer.count == put


def test_credit_is_the_bytes_that_may_be_appended_before_the_buffer_is_full() -> None:
    buffer = Buffer(10, 100)
    assert buffer.credit(0) == 10
    buffer.items.append(b"xxxx")
    assert buffer.credit(4) == 6
    buffer.items.append(b"xxxxxx")
    assert buffer.credit(6) == 0
    assert buffer.take_joined() == b"x" * 10
    assert buffer.credit(0) == 10


def test_credit_is_not_more_bytes_than_chunks_have_room() -> None:
    buffer = Buffer(100, 3)
    assert buffer.credit(0) == 3
    buffer.items.append(b"x")
    assert buffer.credit(1) == 2
    buffer.items.append(b"x")
    buffer.items.append(b"x")
    assert buffer.credit(2) == 0


def test_empty_chunk_takes_credit_and_no_bytes() -> None:
    buffer, room = Buffer(100, 3), 3
    for chunk in (b"", b"x", b""):
        buffer.items.append(chunk)
        room -= len(chunk) or buffer.empty_chunk()
    assert room == 0
    assert buffer.credit(3 - room) == 0
    assert buffer.put_bytes == 1
    assert buffer.take() == [b"", b"x", b""]
    assert buffer.put_bytes == buffer.taken_bytes


def test_chunk_larger_than_the_buffer_fills_it_and_passes() -> None:
    buffer = Buffer(4, 100)
    assert buffer.put(b"x" * 100)
    assert buffer.credit(0) == 0
    assert buffer.take() == [b"x" * 100]
    assert buffer.credit(0) == 4


def test_frame_is_taken_like_a_chunk_and_not_counted() -> None:
    buffer = Buffer(100, 100)
    buffer.put(b"a")
    buffer.put_frame(b"]")
    assert buffer.count == 1
    assert buffer.take() == [b"a", b"]"]
    assert buffer.count == 1
    assert buffer.put_bytes == buffer.taken_bytes == 2


def test_buffer_ends_with_or_without_an_error() -> None:
    buffer, error = Buffer(1, 1), ValueError()
    assert not buffer.ended
    buffer.end()
    assert (buffer.ended, buffer.error) == (True, None)
    buffer.end(error)
    assert buffer.error is error


def test_two_threads_lose_nothing_and_keep_the_order() -> None:
    buffer, total, taken = Buffer(1 << 30, 1 << 30), 20_000, list[bytes]()

    def put() -> None:
        for number in range(total):
            buffer.put(b"%d" % number)
        buffer.end()

    putter = threading.Thread(target=put)
    putter.start()
    while not buffer.ended or buffer.items:
        taken += buffer.take()
    putter.join()
    assert taken == [b"%d" % number for number in range(total)]
    assert buffer.count == total
    assert buffer.put_bytes == buffer.taken_bytes
