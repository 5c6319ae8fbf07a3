"""How a stream ends that was told to: by a broken connection, as the OSError that a server takes for one."""

from __future__ import annotations

import errno

from stream_adapter._types import Reason

__all__ = ["ClientDisconnected", "StreamAborted"]


class StreamAborted(ConnectionAbortedError):  # noqa: N818  # no error of anybody
    """The stream was told to end: its connection must break, for a polite end would say that it is complete."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(errno.ECONNABORTED, f"the stream was ended: {reason}")


class ClientDisconnected(ConnectionResetError):  # noqa: N818  # no error of anybody
    """The client has gone. Servers know this errno, and log nothing."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client disconnected")
