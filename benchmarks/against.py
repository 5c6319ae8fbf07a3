"""The working tree beside another revision, on a machine that does other work as well.

Two figures of two runs say little there, so nothing is compared across time. One child process has the package of the
working tree, another that of the revision, and both the benchmarks of the working tree. They are asked in turns, a few
milliseconds each, and count their CPU time. The best times make one ratio. How a process lies in memory is
worth some percent by itself, so several pairs of processes are started: the middle of their ratios is the result, the
lowest and the highest are its spread.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.cases import cases_of
from benchmarks.table import Table

__all__ = ["compare", "verdict_on"]

ROOT = Path(__file__).resolve().parents[1]
_SLOT = 0.004  # seconds of CPU time of one measurement: about what a busy scheduler gives at once
_TURNS = 12  # of each case in one pair of processes
_ENOUGH = 5  # pairs; fewer may all be lucky on one side
_SEEN = 0.03  # a middle ratio closer to 1 than that is not called a difference


def compare(revision: str, sections: list[str], pairs: int) -> Table:
    """Compare the working tree with a revision of it.

    Args:
        revision: as git names it.
        sections: of `cases.SECTIONS`; all if it is empty.
        pairs: how many pairs of processes.

    Raises:
        LookupError: git does not know the revision.
    """
    ratios: dict[str, list[float]] = {name: [] for name in cases_of(sections)}
    missing: dict[str, str] = {}
    with _checked_out(revision) as other:
        for _ in range(pairs):
            with ExitStack() as children:
                seed = str(secrets.randbelow(2**32))
                pair = [children.enter_context(_Child.of(tree, seed)) for tree in (ROOT, other)]
                for name, measured in ratios.items():
                    if name not in missing:
                        try:
                            measured.append(_ratio(pair, name))
                        except _NotThereError as error:
                            missing[name] = str(error)
    table = Table(
        f"CPU time, the working tree / {revision}: {pairs} pairs of processes",
        ["", "ratio", "lowest", "highest", "verdict"],
    )
    for name, measured in ratios.items():
        if name not in missing:
            row = [statistics.median(measured), min(measured), max(measured)]
            table.rows.append([name, *row, verdict_on(measured)])
    table.notes += [f"not compared: {name} ({why})" for name, why in missing.items()]
    return table


def verdict_on(ratios: list[float]) -> str:
    """Return "slower" or "faster" if enough pairs of processes agree and the middle one is worth it, else ""."""
    middle = statistics.median(ratios)
    if len(ratios) < _ENOUGH:
        return ""
    if min(ratios) > 1 and middle >= 1 + _SEEN:
        return "slower"
    return "faster" if max(ratios) < 1 and middle <= 1 - _SEEN else ""


def _ratio(pair: list[_Child], name: str) -> float:
    """Return the best time of the first child in multiples of that of the second."""
    for child in pair:
        child.run(name, 1)  # imports, and fills caches
    once = pair[0].run(name, 1)
    times = max(round(_SLOT / once), 1)
    best: dict[_Child, list[float]] = {child: [] for child in pair}
    for turn in range(_TURNS):
        for child in pair if turn % 2 else reversed(pair):
            best[child].append(child.run(name, times))
    return min(best[pair[0]]) / min(best[pair[1]])


class _NotThereError(Exception):
    """The revision has not got what the case needs."""


class _Child:
    """A process that has the package of one tree."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def of(cls, tree: Path, seed: str) -> Generator[_Child]:
        """Start one, and end it. Both of a pair have the same seed of hashes, so that their dictionaries are alike."""
        paths = os.pathsep.join([str(tree), str(tree / "integrations")])
        with subprocess.Popen(  # our own module
            [sys.executable, "-m", "benchmarks.against_child"],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield cls(process)
            process.communicate()

    def run(self, name: str, times: int) -> float:
        """Run a case; return the seconds of one of the times."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the child has pipes")
        self._process.stdin.write(json.dumps([name, times]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the child process ended with status {self._process.wait()}")
        answer: str | float = json.loads(line)
        if isinstance(answer, str):
            raise _NotThereError(answer)
        return answer / times


@contextmanager
def _checked_out(revision: str) -> Generator[Path]:
    """Check a revision out into a temporary folder, with the benchmarks of the working tree."""
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise LookupError(f"--against: git knows no commit {revision!r}")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), found.stdout.strip()).check_returncode()
        try:
            shutil.rmtree(tree / "benchmarks", ignore_errors=True)
            shutil.copytree(ROOT / "benchmarks", tree / "benchmarks")
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # git, with a commit that it has confirmed
        ["git", *arguments],  # noqa: S607  # the one that is installed
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
