"""Ids of parameters that are the same in each process: pytest-xdist compares what its workers collect."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def stable_repr(value: object) -> str:
    """Return `repr(value)` without the object's address."""
    return _ADDRESS.sub("", repr(value))
