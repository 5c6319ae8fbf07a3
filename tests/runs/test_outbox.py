"""Items between a source and its production: each wakes the production, or is taken with one that did."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import SupportsIndex, overload

from stream_adapter._broker._runs._outbox import Outbox


def test_item_that_a_thread_puts_while_others_are_taken_is_taken_too() -> None:
    woken: list[int] = []
    outbox = Outbox(lambda: woken.append(1))

    class Payloads(list[bytes]):
        """Its slice is followed by a turn of the source's thread."""

        @overload
        def __getitem__(self, at: SupportsIndex) -> bytes: ...
        @overload
        def __getitem__(self, at: slice) -> list[bytes]: ...
        def __getitem__(self, at: SupportsIndex | slice) -> bytes | list[bytes]:
            found = super().__getitem__(at)
            if outbox.count == 1:
                outbox.put_in_thread(b"t\ntwo")
            return found

    outbox._payloads = Payloads()
    outbox.put_in_thread(b"t\none")
    taken: list[bytes] = []
    while woken:
        woken.pop()
        taken += outbox.take()
    assert taken == [b"t\none", b"t\ntwo"]
