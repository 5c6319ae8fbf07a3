"""Runs the tests of a suite in an environment of its own, once for each way, and compares."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Mapping
from pathlib import Path

from .catalog import Suite

__all__ = ["Outcomes", "differences", "prepare", "run"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_LINE = re.compile(r"^\w+ \(([\w.]+)\)(?:\n.*?)?? \.\.\. .*?(ok|FAIL|ERROR|skipped)", re.MULTILINE)
LIMIT = 1800  # seconds that one run may take
Outcomes = Mapping[str, str]


class Prepared:
    """A suite that is unpacked, beside a Python in which it is installed."""

    def __init__(self, suite: Suite, python: Path, source: Path) -> None:
        self.suite = suite
        self.python = python
        self.source = source


def prepare(suite: Suite, folder: Path) -> Prepared:
    """Make the environment, and take the sdist from the package index. Nothing of it is kept beyond `folder`."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    download: list[str | Path] = [
        python,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-binary",
        ":all:",
        "-d",
        folder,
        suite.project,
    ]
    subprocess.run(download, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    for file, target in suite.files:
        shutil.copy(HERE / file, source / target)
    needed = [suite.project, *suite.requires.split(), "pytest", f"{ROOT}[flask,fastapi]"]
    subprocess.run([python, "-m", "pip", "install", "-q", *needed], check=True)
    return Prepared(suite, python, source)


def run(prepared: Prepared, way: str) -> Outcomes:
    """Run the tests, their applications wrapped in one way, or by the empty way not at all."""
    return _run_django(prepared, way) if prepared.suite.runner == "django" else _run_pytest(prepared, way)


def _environment(way: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "COV", "VIRTUAL_ENV", "DJANGO"))
    }
    return {**kept, "PYTHONPATH": str(HERE), "SUITE_WAY": way}


def _run_pytest(prepared: Prepared, way: str) -> Outcomes:
    written = prepared.source.parent / "outcomes.json"
    written.unlink(missing_ok=True)
    command: list[str | Path] = [
        prepared.python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "wrapping",
        "-p",
        "no:cacheprovider",
        *prepared.suite.tests,
    ]
    environment = {**_environment(way), "SUITE_OUTCOMES": str(written)}
    done = subprocess.run(
        command, cwd=prepared.source, env=environment, timeout=LIMIT, capture_output=True, text=True, check=False
    )
    outcomes: Outcomes = json.loads(written.read_text()) if written.exists() else {}
    return _unless_empty(outcomes, prepared, done)


def _run_django(prepared: Prepared, way: str) -> Outcomes:
    """Run Django's own runner, and read its report: `test_x (module.Class.test_x) ... ok`."""
    command: list[str | Path] = [
        prepared.python,
        HERE / "django_runner.py",
        "--parallel=1",
        "-v",
        "2",
        *prepared.suite.tests,
    ]
    done = subprocess.run(
        command,
        cwd=prepared.source / "tests",
        env=_environment(way),
        timeout=LIMIT,
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes: dict[str, str] = {}
    for name, words in _LINE.findall(done.stderr):
        outcomes[name] = {"ok": "passed", "skipped": "skipped"}.get(words, "failed")
    return _unless_empty(outcomes, prepared, done)


def _unless_empty(outcomes: Outcomes, prepared: Prepared, done: subprocess.CompletedProcess[str]) -> Outcomes:
    if not outcomes:
        raise RuntimeError(f"{prepared.suite.project}: no test was run\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return outcomes


def differences(plain: Outcomes, wrapped: Outcomes) -> dict[str, str]:
    """Return the tests that pass without us and not with us, and what becomes of them."""
    return {
        test: wrapped.get(test, "missing")
        for test, outcome in plain.items()
        if outcome == "passed" and wrapped.get(test) != "passed"
    }


if __name__ == "__main__":  # python -m tests.suites.running NAME FOLDER: to look at one suite by hand
    from .catalog import SUITES

    chosen = next(suite for suite in SUITES if suite.name == sys.argv[1])
    made = prepare(chosen, Path(sys.argv[2]))
    before = run(made, "")
    sys.stdout.write(f"plain: {len(before)} tests, {sum(it == 'passed' for it in before.values())} passed\n")
    for one in chosen.ways:
        after = run(made, one)
        sys.stdout.write(f"{one}: {sum(it == 'passed' for it in after.values())} passed\n")
        for test, outcome in differences(before, after).items():
            sys.stdout.write(f"  {outcome}: {test}\n")
