"""What a test needs of a dependency beyond the lowest version that pyproject.toml gives."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

__all__ = ["needs"]


def needs(distribution: str, lowest: str, reason: str) -> pytest.MarkDecorator:
    """Skip a test where the distribution is older, and say why."""
    installed = version(distribution)
    too_old = Version(installed) < Version(lowest)
    return pytest.mark.skipif(too_old, reason=f"needs {distribution} {lowest}, has {installed}: {reason}")
