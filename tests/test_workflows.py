"""Workflows, hooks and forms: they parse, pin what they run, and ask for no more than they need."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
HOOKS = ROOT / ".pre-commit-config.yaml"


def named(path: Path) -> str:
    return path.name


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in loaded(workflow)["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_workflow_has_minimal_permissions(workflow: Path) -> None:
    content = loaded(workflow)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["permissions"] in ({"contents": "read"}, {"id-token": "write"})
        assert job["timeout-minutes"] <= 45


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_checkout_does_not_keep_credentials(workflow: Path) -> None:
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_scripts_have_no_expressions(workflow: Path) -> None:
    """`${{ }}` in a script is replaced before the shell parses it; an environment variable is not."""
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_publish_workflow_uses_no_secret() -> None:
    workflow = (ROOT / ".github" / "workflows" / "publish.yml").read_text()
    assert "secrets." not in workflow
    assert loaded(ROOT / ".github" / "workflows" / "publish.yml")["jobs"]["publish"]["permissions"] == {
        "id-token": "write"
    }


def test_ci_tests_each_python_that_the_classifiers_name() -> None:
    tested = loaded(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    named_there = {it.rpartition(" ")[2] for it in classifiers if re.search(r"Python :: 3\.\d+$", it)}
    assert named_there <= set(tested)


def test_pre_commit_hooks_are_pinned_by_commit() -> None:
    for repository in loaded(HOOKS)["repos"]:
        if repository["repo"] != "local":
            assert re.fullmatch(r"[0-9a-f]{40}", repository["rev"])
        for hook in repository["hooks"]:
            assert all("==" in package for package in hook.get("additional_dependencies", []))


@pytest.mark.parametrize("form", [form for form in FORMS if form.name != "config.yml"], ids=named)
def test_issue_form_has_the_required_keys(form: Path) -> None:
    content = loaded(form)
    assert {"name", "description", "body"} <= content.keys()
    asked = [part for part in content["body"] if part["type"] != "markdown"]
    assert all(part["attributes"]["label"] for part in asked)
    assert len({part["id"] for part in asked}) == len(asked)
