"""Packages that some tests need and that take long to import: each is imported by the worker that runs those tests.

Every worker collects every module, so an import at the top of one is paid by all of them.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def needed(*packages: str) -> pytest.MarkDecorator:
    """Return the mark that skips tests where a package is not installed. Nothing is imported to find out."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
