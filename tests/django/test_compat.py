"""Versions of Django and asgiref that are too old are an error of the import, which says which are not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.servers import ROOT


@pytest.mark.parametrize(
    "change", ["asgiref.__version__ = '3.8.1'", "django.VERSION = (4, 2)", "del BaseHandler.make_view_atomic"]
)
def test_unsupported_versions_are_an_import_error(change: str) -> None:
    code = (
        "import asgiref, django\nfrom django.core.handlers.base import BaseHandler\n"
        f"{change}\nimport stream_adapter_django"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: stream_adapter_django: expected Django 5.2 to 6.1 with asgiref 3.9.2 or newer")
    assert "got Django" in last
