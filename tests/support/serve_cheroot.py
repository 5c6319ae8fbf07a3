"""Serve a WSGI application by cheroot on a socket that is open already, which it takes as systemd passes one.

python -m tests.support.serve_cheroot <fd> <module:name>
"""

from __future__ import annotations

import os
import pkgutil
import sys

from cheroot.wsgi import Server

if __name__ == "__main__":
    fd, app = sys.argv[1:]
    os.dup2(int(fd), 3)  # SD_LISTEN_FDS_START
    os.environ["LISTEN_PID"] = str(os.getpid())
    Server(("127.0.0.1", 0), pkgutil.resolve_name(app), numthreads=32).start()
