"""Names that a framework does not document: each integration has them in its `_compat` module, and in no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import ROOT

INTEGRATIONS = ROOT / "integrations"
# Undocumented, although no underscore says so.
UNDOCUMENTED: dict[str, set[str]] = {
    "stream_adapter_django": {
        "AsyncToSync",
        "SyncToAsync",
        "_iterator",
        "_set_streaming_content",
        "context_to_thread_executor",
        "deadlock_context",
        "executors",
        "main_event_loop",
        "make_view_atomic",
        "thread_sensitive_context",
        "threadlocal",
    },
    "stream_adapter_fastapi": {
        "_receive",
        "dependant",
        "dependencies",
        "get_dependant",
        "get_route_handler",
        "original_route",
        "original_router",
        "stream_item_type",
    },
    "stream_adapter_flask": {
        "app_ctx",
        "finalize_request",
        "handle_exception",
        "handle_user_exception",
        "request_ctx",
    },
}


def modules(package: str) -> list[Path]:
    found = sorted((INTEGRATIONS / package).glob("*.py"))
    assert INTEGRATIONS / package / "_compat.py" in found
    return [path for path in found if path.name != "_compat.py"]


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def own_attributes(tree: ast.AST) -> Iterator[str]:
    """Yield the attributes that a module defines: what is in the body of a class, and what a method sets on `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield statement.name
                elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def used_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the names of attributes that a module reads or sets, and of what it imports from other packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"getattr", "hasattr"}:
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


@pytest.mark.parametrize("package", UNDOCUMENTED)
def test_undocumented_names_of_a_framework_are_in_compat_only(package: str) -> None:
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in modules(package)}
    own = {name for tree in trees.values() for name in own_attributes(tree)}
    listed = UNDOCUMENTED[package]
    problems = [
        f"{name}:{line}: {used}"
        for name, tree in trees.items()
        for line, used in used_names(tree)
        if used in listed or (is_private(used) and used not in own)
    ]
    assert problems == []


@pytest.mark.parametrize("package", UNDOCUMENTED)
def test_listed_undocumented_names_are_used_in_compat(package: str) -> None:
    source = (INTEGRATIONS / package / "_compat.py").read_text(encoding="utf-8")
    assert [name for name in sorted(UNDOCUMENTED[package]) if name not in source] == []


@pytest.mark.parametrize("package", UNDOCUMENTED)
def test_compat_says_at_which_versions_its_names_were_read(package: str) -> None:
    docstring = ast.get_docstring(ast.parse((INTEGRATIONS / package / "_compat.py").read_text(encoding="utf-8"))) or ""
    framework = {"django": "Django", "fastapi": "FastAPI", "flask": "Flask"}[package.removeprefix("stream_adapter_")]
    assert "ead at" in docstring
    assert f"{framework} " in docstring
