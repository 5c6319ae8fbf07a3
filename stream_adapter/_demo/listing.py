"""The code that the page shows beside each stream: read from the files that run."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypedDict

__all__ = ["Block", "listing"]

HERE = Path(__file__).parent

# What each scene shows: of the source's file, and of the file with the views.
SCENES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "answer": ("broker", ("live", "answer", "ask", "follow", "stop"), ("answer", "ask", "follow", "stop")),
    "failing": ("sources", ("failing",), ("failing",)),
    "leaving": ("broker", ("leaving",), ("leaving",)),
    "news": ("broker", ("tick",), ("news",)),
    "text": ("sources", ("words",), ("text",)),
    "events": ("sources", ("ticks",), ("events",)),
    "csv": ("sources", ("rows",), ("csv",)),
    "download": ("sources", ("blocks",), ("download",)),
}


class Block(TypedDict):
    """Some of a file.

    Attributes:
        file: its name.
        differs: the line that differs by framework: the import of the integration. Empty in a file of sources.
        parts: the definitions.
    """

    file: str
    differs: str
    parts: list[str]


def listing(frameworks: Iterable[str]) -> dict[str, dict[str, list[Block]]]:
    """Return the blocks of each scene, by framework: the view first, then its source."""
    return {
        scene: {framework: [_block(f"{framework}_app", views), _block(source, definitions)] for framework in frameworks}
        for scene, (source, definitions, views) in SCENES.items()
    }


def _block(module: str, names: tuple[str, ...]) -> Block:
    integration, definitions = _parts(module)
    parts = [definitions[name] for name in names if name in definitions]
    return {"file": f"{module}.py", "differs": integration, "parts": parts}


@cache
def _parts(module: str) -> tuple[str, dict[str, str]]:
    """Return the import of the integration, and the text of each definition by its name."""
    text = (HERE / f"{module}.py").read_text(encoding="utf-8")
    integration, found = "", dict[str, str]()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stream_adapter_"):
            integration = _lines(text, node.lineno, node.end_lineno)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name] = _lines(text, first, node.end_lineno)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = _lines(text, node.lineno, node.end_lineno)
    return integration, found


def _lines(text: str, first: int, last: int | None) -> str:
    return "\n".join(text.splitlines()[first - 1 : last])
