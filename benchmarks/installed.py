"""What an installation costs: its size on disk, and the time that a process takes to import it."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from benchmarks.rounds import take_turns
from benchmarks.table import Goal, Table

__all__ = ["measure"]

_IMPORTS = {
    "nothing": "pass",
    "stream_adapter": "import stream_adapter",
    "Starlette": "import starlette.applications, starlette.responses, starlette.routing",
    "Flask": "import flask",
    "stream_adapter_flask": "import stream_adapter_flask",
    "FastAPI": "import fastapi",
    "stream_adapter_fastapi": "import stream_adapter_fastapi",
}
_OWN = "stream_adapter"
_PEER = "Starlette"


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure both.

    Args:
        rows: not used.
        rounds: how often each import is run, in turns.
    """
    del rows
    yield _imports(rounds)
    yield _sizes()


def _imports(rounds: int) -> Table:
    table = Table("Import in a new process: ms of CPU time, the start of Python taken off", ["", "ms"])
    runs: dict[str, tuple[Callable[[], object], int]] = {name: (_run(code), 1) for name, code in _IMPORTS.items()}
    best = {name: timing.best * 1000 for name, timing in take_turns(runs, rounds, clock=_cpu_of_children).items()}
    alone = {name: time - best["nothing"] for name, time in best.items() if name != "nothing"}
    table.rows += [[name, time] for name, time in alone.items()]
    table.goals.append(Goal(f"{_OWN} / {_PEER}", alone[_OWN] / alone[_PEER], 1.0))
    return table


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # one of _IMPORTS


def _sizes() -> Table:
    table = Table("Installed, without caches: KiB", ["", "KiB", "files"])
    for name, packages in {
        "stream_adapter": ["stream_adapter"],
        "… its integrations": ["stream_adapter_flask", "stream_adapter_django", "stream_adapter_fastapi"],
        "Starlette": ["starlette"],
        "Werkzeug": ["werkzeug"],
        "orjson": ["orjson"],
    }.items():
        files = [file for package in packages for file in _files(package)]
        table.rows.append([name, sum(file.stat().st_size for file in files) / 1024, len(files)])
    needs = distribution("stream-adapter").requires or []
    core = [need for need in needs if "extra ==" not in need]
    table.notes.append(f"the core requires {' and '.join(core)}")
    return table


def _files(package: str) -> list[Path]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed", name=package)
    root = Path(spec.origin).parent
    return [file for file in root.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
