"""The contenders behind real servers: those of the tests, without their logs."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.contenders import Contender, Protocol
from tests.support.servers import Server, gunicorn, uvicorn

__all__ = ["cpu_seconds", "serve"]


def serve(contender: Contender, protocol: Protocol, *options: str) -> AbstractContextManager[Server]:
    """Start a server with one process for a contender: uvicorn, or gunicorn's gthread worker; `options` are its."""
    app = f"benchmarks.apps.{contender.factory}"
    if protocol == "wsgi":
        return gunicorn(f"{app}()", "--log-level", "error", *options)
    return uvicorn(app, "--factory", "--lifespan", "off", "--no-access-log", "--log-level", "error", *options)


def cpu_seconds(server: Server) -> float:
    """Return the CPU time that a server and its workers have taken."""
    main = server.process.pid
    workers = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return sum(_ticks(process) for process in (str(main), *workers)) / os.sysconf("SC_CLK_TCK")


def _ticks(process: str) -> int:
    """Return the user and system time of a process, also of threads that have ended (proc_pid_stat(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
