"""The window, against a model of it, over every short sequence of what its two sides can do."""

from __future__ import annotations

import itertools
import threading

import pytest

from stream_adapter._pump import Window

STEPS = {"": b"", "1": b"x", "2": b"yy"}
TAKES = ("take", "join")


@pytest.mark.parametrize(("high_water", "max_items"), [(1, 1), (2, 3), (3, 2), (100, 2), (3, 100)])
def test_every_sequence_of_puts_and_takes_agrees_with_a_plain_list(high_water: int, max_items: int) -> None:
    for steps in itertools.product([*STEPS, *TAKES], repeat=5):
        window, model, put = Window(high_water, max_items), list[bytes](), 0
        for step in steps:
            if step == "take":
                assert window.take() == model
                model.clear()
            elif step == "join":
                assert window.take_joined() == b"".join(model)
                model.clear()
            else:
                model.append(STEPS[step])
                put += 1
                full = sum(map(len, model)) >= high_water or len(model) >= max_items
                assert window.put(STEPS[step]) == full
            assert window.items == model
            assert window.is_full() == (sum(map(len, model)) >= high_water or len(model) >= max_items)
            assert window.count == put


def test_what_is_granted_is_what_may_be_appended_before_it_is_full() -> None:
    window = Window(10, 100)
    assert window.grant(0) == 10
    window.items.append(b"xxxx")
    assert window.grant(4) == 6
    window.items.append(b"xxxxxx")
    assert window.grant(6) == 0
    assert window.take_joined() == b"x" * 10
    assert window.grant(0) == 10


def test_one_chunk_larger_than_the_window_fills_it_and_passes() -> None:
    window = Window(4, 100)
    assert window.put(b"x" * 100)
    assert window.grant(0) == 0
    assert window.take() == [b"x" * 100]
    assert window.grant(0) == 4


def test_a_frame_is_taken_like_a_chunk_and_not_counted_as_one() -> None:
    window = Window(100, 100)
    window.put(b"a")
    window.put_frame(b"]")
    assert window.count == 1
    assert window.take() == [b"a", b"]"]
    assert window.count == 1
    assert window.put_bytes == window.taken_bytes == 2


def test_it_ends_with_or_without_an_error() -> None:
    window, error = Window(1, 1), ValueError()
    assert not window.ended
    window.end()
    assert (window.ended, window.error) == (True, None)
    window.end(error)
    assert window.error is error


def test_two_threads_lose_nothing_and_keep_the_order() -> None:
    window, total, taken = Window(1 << 30, 1 << 30), 20_000, list[bytes]()

    def put() -> None:
        for number in range(total):
            window.put(b"%d" % number)
        window.end()

    putter = threading.Thread(target=put)
    putter.start()
    while not window.ended or window.items:
        taken += window.take()
    putter.join()
    assert taken == [b"%d" % number for number in range(total)]
    assert window.count == total
    assert window.put_bytes == window.taken_bytes
