"""Links of a Markdown page that lead to no file of the project, or to no heading of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"] + "/blob/main/"

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def dead_links(page: Path) -> Iterator[str]:
    """Yield each link into the project, relative or absolute, that leads nowhere."""
    for path, heading in _LINK.findall(_prose(page)):
        if path.startswith(PUBLISHED):
            target = ROOT / path.removeprefix(PUBLISHED).removesuffix("?raw=true")  # the file itself
        elif re.match(r"\w+:", path):
            continue
        else:
            target = page.parent / path if path else page
        if not target.exists() or (heading and target.suffix == ".md" and heading not in _anchors(target)):
            yield f"{path}#{heading}" if heading else path


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def _anchors(page: Path) -> set[str]:
    """Return the fragments that lead to the headings of a page, on a code host and on the site."""
    return {_anchor(heading) for heading in _HEADING.findall(_prose(page))}


def _anchor(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.lower()).strip())
