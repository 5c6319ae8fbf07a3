"""How a process that has committed wakes those that listen: by one byte to the Unix datagram socket of each."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress

__all__ = ["Doorbell"]


class Doorbell:
    """The sending end. Used by one thread at a time, in one process."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def ring(self, addresses: Sequence[str]) -> list[str]:
        """Wake listeners; return the addresses at which nothing listens any more. It never waits, nor fails."""
        gone: list[str] = []
        for address in addresses:
            try:
                if self._socket is None:
                    self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                    self._socket.settimeout(0)
                self._socket.sendto(b"!", address)
            except (ConnectionRefusedError, FileNotFoundError):
                gone.append(address)
                with suppress(OSError):
                    os.unlink(address)  # of a process that was killed; addresses are not used twice
            except OSError:
                continue  # a full queue: the listener is about to look
        return gone

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
