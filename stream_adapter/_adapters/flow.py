"""The options of a response that another application sends: its bytes are not changed, `limits` apply."""

from __future__ import annotations

from collections.abc import Callable

from stream_adapter._headers import content_length
from stream_adapter._limits import Limits, StreamSummary
from stream_adapter._resolved import Flow
from stream_adapter.formats import Format
from stream_adapter.formats._base import ChunkFormat

__all__ = ["flow_of", "is_untimed"]


class _Sized(ChunkFormat):
    """A body with a Content-Length. A paused download may wait without limit."""

    send_timeout = None


_STREAM, _SIZED = ChunkFormat(), _Sized()
_SEND_TIMEOUT = Limits().send_timeout


def flow_of(
    head: Callable[[], tuple[int, list[tuple[str, str]]]],
    limits: Limits,
    on_close: Callable[[StreamSummary], object] | None,
) -> Flow:
    """Return the flow of one response.

    Args:
        head: returns status and headers, which are final once there is a chunk.
        limits: bounds and deadlines. With a Content-Length, `send_timeout` applies only if it is set explicitly.
        on_close: called with a StreamSummary at the end.
    """
    encoder = _STREAM.encoder(strict=True, charset="utf-8")

    def head_of(_: Format) -> tuple[int, list[tuple[str, str]]]:
        status, headers = head()
        if content_length(headers) is not None:
            encoder.format = _SIZED
        return status, headers

    is_default = _has_default_send_timeout(limits)
    return Flow(encoder, limits, on_close=on_close, head_of=head_of, default_limits=is_default)


def is_untimed(limits: Limits) -> bool:
    """Return True if no deadline applies to a body with a Content-Length: a server may send it by itself."""
    return (limits.idle_timeout, limits.total_timeout) == (None, None) and (
        limits.send_timeout is None or _has_default_send_timeout(limits)
    )


def _has_default_send_timeout(limits: Limits) -> bool:
    return limits.send_timeout == _SEND_TIMEOUT
