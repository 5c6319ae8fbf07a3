"""Which tests a run selects."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["is_default", "is_whole"]


def is_default(config: pytest.Config) -> bool:
    """Return True if no mark is asked for. What is marked measures, loads the machine, or installs packages."""
    return config.option.markexpr in config.getini("addopts")


def is_whole(config: pytest.Config) -> bool:
    """Return True if all tests without a mark run."""
    named = {Path(config.invocation_params.dir, argument).resolve() for argument in config.args}
    return is_default(config) and bool(named & {config.rootpath, config.rootpath / "tests"})
