"""A sync source that the consumer iterates itself: one that never waits, or may fill a block."""

from __future__ import annotations

from collections.abc import Iterator

from .base import Pipe, Producer

__all__ = ["InlineProducer"]


class InlineProducer(Producer):
    """Owned by the consumer's own thread or task."""

    is_pulled = True
    __slots__ = ("_iterator",)

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self._iterator: Iterator[object] | None = None

    def start(self) -> None:
        """Fill the buffer a first time."""
        self.pull()

    def pull(self) -> bool:
        """Run the source until the buffer is full."""
        if not self.buffer.ended:
            self.context.run(self._pull)
        return True

    def _pull(self) -> None:
        error: BaseException | None = None
        try:
            if self._iterator is None:
                self._iterator = self._iterate_source()
            if not self._fill(self._iterator):
                return
        except BaseException as raised:  # noqa: BLE001  # raised by the consumer, after the chunks before it
            error = raised
        self._close_sync()
        self.buffer.end(error)

    def stop(self) -> None:
        """Close the source at once: no step of it runs."""
        if not self.buffer.ended:
            self.context.run(self._close_sync)
            self.buffer.end()
