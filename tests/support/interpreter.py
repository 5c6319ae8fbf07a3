"""An interpreter that imports the frameworks once, and runs each script in a fork of its own."""

from __future__ import annotations

import gc
import os
import runpy
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

__all__ = ["Interpreter"]

# What most scripts import, and nothing that one may use without importing it: a submodule of the library's, for example
IMPORTED = ("asyncio", "django.http", "django.urls", "fastapi", "flask", "httpx2", "stream_adapter")


class Interpreter:
    """Runs scripts as `python -W error` does."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def running(cls) -> Generator[Interpreter]:
        """Start it; stop it at the end."""
        command = [sys.executable, "-W", "error", __file__]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield cls(process)

    def run(self, script: Path) -> tuple[int, str]:
        """Run a script in its folder; return its exit status and what it wrote to stderr."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{script}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, script.with_suffix(".stderr").read_text()


def _serve() -> None:
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # a fork does not look through what it has not made, which would copy it
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(Path(line.rstrip("\n")))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201  # the answer


def _run(script: Path) -> None:
    """Be the interpreter of a script; the end of this function is the end of the process."""
    os.chdir(script.parent)
    nothing = os.open(os.devnull, os.O_RDWR)
    written = os.open(script.with_suffix(".stderr"), os.O_WRONLY | os.O_CREAT)
    for stream, file in ((0, nothing), (1, nothing), (2, written)):
        os.dup2(file, stream)
    sys.argv, sys.path[0] = [str(script)], str(script.parent)
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    _serve()
