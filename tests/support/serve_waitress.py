"""Serve a WSGI application by waitress on a socket that is open already, which its command line cannot be given.

python -m tests.support.serve_waitress <fd> <module:name> [<option>=<number> …]
"""

from __future__ import annotations

import pkgutil
import socket
import sys
from typing import Any

import waitress  # type: ignore[import-untyped]  # it has no types

if __name__ == "__main__":
    fd, app, *options = sys.argv[1:]
    numbers: dict[str, Any] = {name: int(value) for name, value in (option.split("=") for option in options)}
    waitress.serve(pkgutil.resolve_name(app), sockets=[socket.socket(fileno=int(fd))], **numbers)
