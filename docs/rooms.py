"""Write the table of rooms in explanation/architecture.md: each module or package of the library, and what it imports.

python docs/rooms.py
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "stream_adapter"
PAGE = Path(__file__).parent / "explanation" / "architecture.md"
BEGIN, END = "<!-- rooms: python docs/rooms.py -->", "<!-- end of the rooms -->"


def rooms() -> dict[str, list[Path]]:
    """Return the files of each room: a module, or a package with all that is in it."""
    found: dict[str, list[Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(file.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(file)
    return found


def imported(file: Path) -> Iterator[str]:
    """Yield the dotted names, inside the package, that a file imports, wherever it does so."""
    package = ["stream_adapter", *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def directions() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    known = rooms()
    found: dict[str, set[str]] = {}
    for room, files in known.items():
        names = {name for file in files for name in imported(file)}
        targets = {name.split(".")[1] for name in names if name.startswith("stream_adapter.")}
        found[room] = {target if target in known else "__init__" for target in targets} - {room}
    return found


def layers() -> list[list[str]]:
    """Return the rooms by how far they are from the bottom; a room imports from lower layers only.

    Raises:
        ValueError: rooms import each other in a circle.
    """
    left = directions()
    found: list[list[str]] = []
    while left:
        free = sorted(room for room, targets in left.items() if not targets & left.keys())
        if not free:
            raise ValueError(f"expected imports in one direction, got a circle among {sorted(left)}")
        found.append(free)
        for room in free:
            del left[room]
    return found


def summary(room: str) -> str:
    """Return the first line of a room's docstring."""
    module = PACKAGE / f"{room}.py"
    documented = ast.get_docstring(
        ast.parse((module if module.exists() else PACKAGE / room / "__init__.py").read_text())
    )
    return (documented or "").partition("\n")[0].replace("|", "\\|")


def table() -> str:
    """Return the table, the bottom layer last."""
    known = rooms()
    lines = ["| layer | room | files | |", "|---:|---|---:|---|"]
    for number, layer in reversed(list(enumerate(layers(), 1))):
        lines += [f"| {number} | `{room}` | {len(known[room])} | {summary(room)} |" for room in layer]
    return "\n".join(lines)


def page() -> str:
    """Return the page with its table as the code has it now."""
    block = f"{BEGIN}\n\n{table()}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, PAGE.read_text(), flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page())
