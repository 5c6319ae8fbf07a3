"""Serve Django's application by the server of `manage.py runserver`, on a socket that is open already.

python -m tests.support.serve_runserver <fd> <module:name>
"""

from __future__ import annotations

import pkgutil
import socket
import sys
from socketserver import ThreadingMixIn

from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


if __name__ == "__main__":
    fd, app = sys.argv[1:]
    application = pkgutil.resolve_name(app)
    server = Server(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(fd))
    server.server_name, server.server_port = server.socket.getsockname()
    server.setup_environ()
    server.set_app(application)
    server.serve_forever()
