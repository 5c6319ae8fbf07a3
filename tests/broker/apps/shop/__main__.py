from __future__ import annotations

import sys

from django.core.management import execute_from_command_line

from . import site

__all__ = ["site"]

execute_from_command_line(sys.argv)
