"""Free-threaded builds of Python are not supported, and say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT = "import sys; sys._is_gil_enabled = lambda: {enabled}; import stream_adapter"


@pytest.mark.parametrize(("enabled", "warnings"), [(True, 0), (False, 1)])
def test_the_import_warns_once_where_the_lock_is_off(enabled: bool, warnings: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "always", "-c", IMPORT.format(enabled=enabled)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stderr.count("stream_adapter does not support free-threaded Python") == warnings
    assert ran.stderr.count("PYTHON_GIL=1") == warnings
