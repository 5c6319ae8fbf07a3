"""The body of a stream whose chunks are sent to it, by an application that a middleware wraps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream_adapter._log import describe_stream
from stream_adapter._pump import LoopWaker, Producer, PushProducer
from stream_adapter._resolved import Resolved

from .asynchronous import AsyncBody

__all__ = ["PushedBody"]


class _Application:
    log_name = "application"


_APPLICATION = _Application()


class PushedBody(AsyncBody):
    """A body without a source: an application sends its chunks, through `producer(PushProducer)`.

    Args:
        resolved: its source is not read.
        on_stop: ends the application, if the stream is over before it.
    """

    __slots__ = ("_pushed", "_waker")

    def __init__(self, resolved: Resolved, on_stop: Callable[[], object]) -> None:
        super().__init__(resolved)
        self._waker = LoopWaker(threadsafe=False)
        self._producer = self._pushed = PushProducer(self._pipe(self._waker), on_stop=on_stop, ending=self.ending)

    @property
    def _name(self) -> str:
        return describe_stream(self._request, _APPLICATION)

    def _make_producer(self, loop: asyncio.AbstractEventLoop) -> tuple[Producer, LoopWaker]:
        del loop  # the waker has it
        return self._pushed, self._waker
