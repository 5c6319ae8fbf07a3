"""Serve a WSGI application by Werkzeug's threaded server on a socket that is open already.

python -m tests.support.serve_werkzeug <fd> <module:name>
"""

from __future__ import annotations

import pkgutil
import sys

from werkzeug.serving import make_server

if __name__ == "__main__":
    fd, app = sys.argv[1:]
    make_server("127.0.0.1", 0, pkgutil.resolve_name(app), threaded=True, fd=int(fd)).serve_forever()
