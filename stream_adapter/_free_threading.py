"""A warning where the global interpreter lock is off: the pump's lock-free parts rely on the order that it keeps."""

from __future__ import annotations

import sys
import warnings

__all__: list[str] = []

if not getattr(sys, "_is_gil_enabled", lambda: True)():  # CPython 3.13 and later
    warnings.warn(
        "stream_adapter does not support free-threaded Python: its buffers between threads rely on the global "
        "interpreter lock; run it with PYTHON_GIL=1",
        RuntimeWarning,
        stacklevel=3,
    )
