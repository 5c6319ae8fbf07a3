"""Files through real servers to a client that discards them: a large one, many small ones, and the memory of it."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.client import discard
from benchmarks.rounds import Timing, take_turns
from benchmarks.serving import cpu_seconds
from benchmarks.table import Goal, Table
from tests.support.servers import Server, granian, gunicorn, uvicorn

__all__ = ["measure"]

_LARGE_MIB = 1024
_SMALL = 65536
_REQUESTS = 2000  # for the small file, in a round
_CARRIED_MIB = 20
_CARRIED_TIMES = 20
_MORE_MIB = 4.0

_QUIET = ("--log-level", "error")
_ASGI = ("--factory", "--lifespan", "off", "--no-access-log", *_QUIET)


@dataclass(frozen=True, slots=True)
class _Sender:
    """One way to send a file: an application of `benchmarks.apps`, behind a server."""

    name: str
    server: str
    factory: str
    requires: str = "stream_adapter"

    def serve(self, files: str) -> AbstractContextManager[Server]:
        """Start it, to send what is in the directory `files`."""
        app = f"benchmarks.apps.{self.factory}"
        if self.server == "uvicorn":
            return uvicorn(app, *_ASGI, BENCHMARK_FILES=files)
        if self.server == "granian":
            return granian(app, "--factory", "--no-ws", *_QUIET, BENCHMARK_FILES=files)
        return gunicorn(f"{app}()", *_QUIET, BENCHMARK_FILES=files)


_SENDERS = (
    _Sender("raw reads", "uvicorn", "downloads:raw_asgi", "uvicorn"),
    _Sender("Starlette", "uvicorn", "downloads_starlette:asgi", "starlette"),
    _Sender("file", "uvicorn", "downloads:adapted_asgi", "uvicorn"),
    _Sender("raw pathsend", "granian", "downloads:pathsend", "granian"),
    _Sender("file", "granian", "downloads:adapted_asgi", "granian"),
    _Sender("raw file_wrapper", "gunicorn", "downloads:raw_wsgi", "gunicorn"),
    _Sender("Flask", "gunicorn", "downloads_flask:wsgi", "flask"),
    _Sender("file", "gunicorn", "downloads:adapted_wsgi", "gunicorn"),
    _Sender("file in Flask", "gunicorn", "downloads_flask:adapted", "flask"),
)
_CARRIED = (  # an application's own file under the other protocol, beside the kernel that sends it
    _Sender("Flask", "gunicorn", "downloads_flask:wsgi", "flask"),
    _Sender("raw reads", "uvicorn", "downloads:raw_asgi", "uvicorn"),
    _Sender("Flask by to_asgi", "uvicorn", "downloads_flask:by_to_asgi", "flask"),
    _Sender("raw pathsend", "granian", "downloads:pathsend", "granian"),
    _Sender("Flask by to_asgi", "granian", "downloads_flask:by_to_asgi", "flask"),
)
_CARRIED_GOALS = (
    (("Flask by to_asgi", "uvicorn"), ("Flask", "gunicorn"), 3.0),
    (("Flask by to_asgi", "granian"), ("raw pathsend", "granian"), 1.5),
)
_LARGE_GOALS = (
    ("uvicorn", "file", "Starlette", 1 / 3),
    ("uvicorn", "file", "raw reads", 1.1),
    ("granian", "file", "raw pathsend", 1.05),
    ("gunicorn", "file", "Flask", 1.05),
    ("gunicorn", "file in Flask", "Flask", 1.05),
)
_SMALL_GOALS = (
    ("uvicorn", "file", "Starlette", 1.0),
    ("gunicorn", "file", "Flask", 1.0),
    ("gunicorn", "file in Flask", "Flask", 1.0),
)


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure all three.

    Args:
        rows: below the usual 50,000, so much less is sent.
        rounds: the best one counts.
    """
    part = min(rows / 50_000, 1)
    mebibytes, requests = max(int(_LARGE_MIB * part), 1), max(int(_REQUESTS * part), 1)
    with tempfile.TemporaryDirectory() as files:
        _write(Path(files) / "large", mebibytes << 20)
        _write(Path(files) / "small", _SMALL)
        yield _large(files, mebibytes, rounds)
        yield _small(files, requests, rounds)
        yield _carried(files, rounds)
        yield _memory(files, mebibytes)


def _write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - start)))


def _timings(files: str, run: Callable[[int], object], units: int, rounds: int) -> dict[tuple[str, str], Timing]:
    """Time everybody: all servers are up, and one at a time is asked."""
    with ExitStack() as servers:
        runs: dict[str, tuple[Callable[[], object], int]] = {}
        names: dict[str, tuple[str, str]] = {}
        for sender in _SENDERS:
            if find_spec(sender.requires) and find_spec(sender.server):
                port = servers.enter_context(sender.serve(files)).port
                discard(port, "/small")  # when this is answered, the server is up
                key = f"{sender.name}, {sender.server}"
                names[key] = sender.server, sender.name
                runs[key] = partial(run, port), units
        return {names[key]: timing for key, timing in take_turns(runs, rounds).items()}


def _large(files: str, mebibytes: int, rounds: int) -> Table:
    timings = _timings(files, lambda port: discard(port, "/large"), mebibytes, rounds)
    table = Table(f"A file of {mebibytes} MiB: GB a second", ["", "server", "best", "median"])
    for (server, name), timing in timings.items():
        table.rows.append([name, server, 2**20 / timing.best / 1e9, 2**20 / timing.median / 1e9])
    table.goals.extend(_goals(timings, _LARGE_GOALS, "time"))
    return table


def _small(files: str, requests: int, rounds: int) -> Table:
    timings = _timings(files, lambda port: _ask_again(port, "/small", _SMALL, requests), requests, rounds)
    table = Table("Files of 64 KiB over one connection: requests a second", ["", "server", "best", "median"])
    for (server, name), timing in timings.items():
        table.rows.append([name, server, 1 / timing.best, 1 / timing.median])
    table.goals.extend(_goals(timings, _SMALL_GOALS, "time a request"))
    return table


def _goals(
    timings: dict[tuple[str, str], Timing], goals: tuple[tuple[str, str, str, float], ...], what: str
) -> Iterator[Goal]:
    for server, subject, beside, at_most in goals:
        if (server, subject) in timings and (server, beside) in timings:
            ratio = timings[server, subject].best / timings[server, beside].best
            yield Goal(f"{server}: {subject} / {beside}, {what}", ratio, at_most)


def _memory(files: str, mebibytes: int) -> Table:
    """Compare the peak of a download with the memory of a server that has sent nothing large yet."""
    table = Table(f"A download of {mebibytes} MiB: peak memory, MiB", ["", "server", "idle", "more"])
    for sender in _SENDERS:
        if not (find_spec(sender.requires) and find_spec(sender.server)):
            continue
        with sender.serve(files) as server:
            for _ in range(20):
                discard(server.port, "/small")
            idle = server.peak_memory() / 2**20
            discard(server.port, "/large")
            more = server.peak_memory() / 2**20 - idle
        table.rows.append([sender.name, sender.server, idle, more])
        if sender.name.startswith("file"):
            table.goals.append(Goal(f"{sender.server}: {sender.name}, more", more, _MORE_MIB, "MiB"))
    return table


def _carried(files: str, rounds: int) -> Table:
    """Compare the CPU time that a server takes for a file of an application under the other protocol."""
    _write(Path(files) / "carried", _CARRIED_MIB << 20)
    table = Table(f"A file of {_CARRIED_MIB} MiB of a Flask application: ms of CPU", ["", "server", "best"])
    best: dict[tuple[str, str], float] = {}
    for sender in _CARRIED:
        if not (find_spec(sender.requires) and find_spec(sender.server)):
            continue
        with sender.serve(files) as server:
            discard(server.port, "/carried")  # when this is answered, the server is up
            best[sender.name, sender.server] = min(_cpu_of(server, "/carried") for _ in range(rounds))
        table.rows.append([sender.name, sender.server, best[sender.name, sender.server] * 1e3])
    for name, beside, at_most in _CARRIED_GOALS:
        if name in best and beside in best:
            what = f"{name[1]}: {name[0]} / {beside[0]} on {beside[1]}, CPU"
            table.goals.append(Goal(what, best[name] / best[beside], at_most))
    return table


def _cpu_of(server: Server, path: str) -> float:
    """Return the CPU seconds of one download; the clock of processes has ticks of 10 ms, so it is of many."""
    begun = cpu_seconds(server)
    for _ in range(_CARRIED_TIMES):
        discard(server.port, path)
    return (cpu_seconds(server) - begun) / _CARRIED_TIMES


def _ask_again(port: int, path: str, size: int, times: int) -> None:
    """Ask for a file, over and over, on one connection that is kept."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    buffer = bytearray(1 << 18)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            client.sendall(request)
            received, expected = client.recv_into(buffer), 0
            while True:
                if not expected and (end := buffer.find(b"\r\n\r\n", 0, received)) >= 0:
                    expected = end + 4 + size
                if expected and received >= expected:
                    break
                count = client.recv_into(memoryview(buffer)[received:])
                if not count:
                    raise RuntimeError(f"{path}: the connection ended after {received} bytes")
                received += count
