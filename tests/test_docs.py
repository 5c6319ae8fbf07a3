"""The code of the documentation runs as it stands there, every page is found, and the site builds without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import stream_adapter
import stream_adapter.types
from tests.support.servers import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    )
]
LANGUAGES = {"python", "sh", "text", "nginx", "html", "js", "json", "{toctree}", "{eval-rst}"}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs_as_it_stands(block: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block)
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_says_what_it_is(page: str) -> None:
    fences = re.findall(r"^```(.*)$", (DOCS / page).read_text(), re.MULTILINE)
    assert set(fences[0::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_every_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    contents = (site / "index.html").read_text()
    assert [
        page for page in PAGES if page != "index.md" and f'href="{page.removesuffix(".md")}.html"' not in contents
    ] == []


def test_the_reference_has_every_public_name(site: Path) -> None:
    reference = (site / "reference" / "api.html").read_text()
    assert [name for name in stream_adapter.__all__ if f'id="stream_adapter.{name}"' not in reference] == []


def test_the_reference_has_every_public_type(site: Path) -> None:
    reference = (site / "reference" / "api.html").read_text()
    assert [name for name in stream_adapter.types.__all__ if name not in reference] == []
