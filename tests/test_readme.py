"""The README's code runs as it stands there, and its first three blocks stream the same."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest

from tests.support.servers import ROOT, Server, gunicorn, uvicorn

Serve = Callable[..., AbstractContextManager[Server]]

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_a_block_runs_as_it_stands(block: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "serve"),
    [
        ("flask_app:app", gunicorn),
        ("django_app:wsgi", gunicorn),
        ("django_app:asgi", uvicorn),
        ("fastapi_app:app", uvicorn),
    ],
)
def test_the_same_generator_streams_from_each_framework(name: str, serve: Serve, tmp_path: Path) -> None:
    module = name.partition(":")[0]
    (block,) = (block for block in BLOCKS if block.startswith(f"# {module}.py"))
    (tmp_path / f"{module}.py").write_text(block)
    options = ["--lifespan", "off"] if name.endswith(":asgi") else []
    with serve(name, *options, cwd=tmp_path) as server, httpx2.stream("GET", f"{server.url}/tokens") as response:
        assert response.status_code == 200
        words = list(response.iter_text())
    assert words == ["Hold ", "nothing ", "back "]


def test_each_of_the_two_commands_is_one_line() -> None:
    assert len(COMMANDS) == 2
    assert all(command.count("\n") == 1 for command in COMMANDS)
