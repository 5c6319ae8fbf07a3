"""The README: its code runs as it stands, it is short, and its commands are those that `.ci/run` takes from it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.support.links import PUBLISHED
from tests.support.servers import ROOT, gunicorn

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_python_block_of_the_readme_runs(block: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_program_streams_under_the_server_that_is_named(tmp_path: Path) -> None:
    (block,) = BLOCKS
    (tmp_path / "app.py").write_text(block)
    with (
        gunicorn("app:app", cwd=tmp_path) as server,
        httpx2.stream("GET", f"{server.url}/tokens", timeout=30) as response,
    ):
        assert response.status_code == 200
        assert list(response.iter_text()) == ["Hold ", "nothing ", "back "]


def test_readme_has_one_program_and_the_two_commands_that_run_and_read_it() -> None:
    assert len(BLOCKS) == 1
    assert "gunicorn --threads 8 app:app\n" in COMMANDS
    assert "curl -N http://127.0.0.1:8000/tokens\n" in COMMANDS


@pytest.mark.parametrize("end", ["-m stream_adapter", "-m pytest -q"])
def test_demo_and_tests_are_one_line_each_from_a_fresh_clone(end: str) -> None:
    (command,) = (command for command in COMMANDS if command.rstrip().endswith(end))
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    assert command.count("\n") == 1


def test_readme_has_at_most_700_words() -> None:
    assert len(README.split()) <= 700


def test_readme_says_how_to_install_within_15_lines() -> None:
    assert any("pip install" in line for line in README.splitlines()[:15])


def test_links_are_absolute_so_that_they_work_on_the_page_of_an_index() -> None:
    links = re.findall(r"\]\(([^)\s]*)\)", README)
    assert links
    assert [link for link in links if not link.startswith(PUBLISHED)] == []
