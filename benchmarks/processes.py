"""What benchmarks do with other processes: read what they send, and look at what they have cost."""

from __future__ import annotations

import selectors
import socket
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["cpu_of", "drain", "ratio_in_turns"]


def drain(sockets: list[socket.socket], quiet: float) -> int:
    """Read until all have ended, or nothing has come for some seconds; return how many bytes there were."""
    size = 0
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        quiet_since = time.monotonic()
        while selector.get_map() and time.monotonic() - quiet_since < quiet:
            for key, _ in selector.select(quiet):
                client = key.fileobj
                assert isinstance(client, socket.socket)  # noqa: S101  # they were registered above
                data = client.recv(65536)
                size += len(data)
                if not data:
                    selector.unregister(client)
                quiet_since = time.monotonic()
    return size


def cpu_of(pid: int) -> float:
    """Return the seconds that a process's threads have run."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def ratio_in_turns(own: Sequence[float], floor: Sequence[float]) -> float:
    """Return the median ratio of those that were measured one after the other.

    The best rounds of each need not have had the same machine to themselves.
    """
    return statistics.median(mine / others for mine, others in zip(own, floor, strict=True))
