"""Real servers on real sockets, for tests. The socket is made here: the port is the system's, and nothing is polled."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support.gate import BOUND
from tests.support.programs import NGINX

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Server:
    """A server process that listens on 127.0.0.1."""

    port: int
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, request: bytes) -> socket.socket:
        """Connect, and send a request, or its beginning."""
        client = socket.create_connection(("127.0.0.1", self.port), BOUND)
        client.sendall(request)
        return client

    def log(self) -> str:
        """Return what the server has printed so far."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def peak_memory(self) -> int:
        """Return the most bytes that any of its processes has had resident so far."""
        main = self.process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text()
        return max(_peak_memory(pid) for pid in (main, *map(int, children.split())))


def _peak_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"no VmHWM for process {pid}")


# A worker of pytest-xdist that is killed cannot stop its servers: on Linux the kernel sends them SIGTERM.
_SETPRIV = shutil.which("setpriv")
_WITH_PARENT = [_SETPRIV, "--pdeathsig", "TERM"] if _SETPRIV else []


@contextmanager
def _serve(command: list[str], listener: socket.socket, env: dict[str, str], cwd: Path) -> Generator[Server]:
    fd = listener.fileno()
    program = [command[0]] if Path(command[0]).is_absolute() else [sys.executable, "-m", command[0]]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "integrations")])
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*_WITH_PARENT, *program, *[part.replace("{fd}", str(fd)) for part in command[1:]]],
            pass_fds=[fd],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **env},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        server = Server(listener.getsockname()[1], process, output)
        listener.close()  # the server holds it now: a connection is refused once the server has gone
        try:
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.set_inheritable(True)
    # connections inherit it: asyncio sets it where it makes the socket, and without it a client waits for delayed ACKs
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextmanager
def gunicorn(app: str, *options: str, threads: int = 16, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name` by one gthread worker."""
    command = ["gunicorn", "--bind", "fd://{fd}", "--worker-class", "gthread", "--threads", str(threads), *options, app]
    with _serve([*command[:1], "--graceful-timeout", "2", *command[1:]], _listener(), env, cwd) as server:
        yield server


@contextmanager
def uvicorn(app: str, *options: str, cwd: Path = ROOT, send_buffer: int | None = None, **env: str) -> Generator[Server]:
    """Serve the ASGI application `module:name` by one process, on asyncio's loop by h11 unless `options` name others.

    `send_buffer`: bytes that the kernel keeps for a connection; None: up to 4 MiB.
    """
    given = {"--http": "h11", "--loop": "asyncio"}  # the defaults go by what is installed
    parts = [part for name, value in given.items() if name not in options for part in (name, value)]
    command = ["uvicorn", "--fd", "{fd}", "--timeout-graceful-shutdown", "2", *parts, *options, app]
    listener = _listener()
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # connections inherit it
    with _serve(command, listener, env, cwd) as server:
        yield server


@contextmanager
def hypercorn(app: str, *options: str, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the ASGI application `module:name` by one worker."""
    command = ["hypercorn", "--bind", "fd://{fd}", "--graceful-timeout", "2", *options, app]
    with _serve(command, _listener(), env, cwd) as server:
        yield server


@contextmanager
def gunicorn_asgi(app: str, *options: str, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the ASGI application `module:name` by one of gunicorn's own ASGI workers."""
    command = ["gunicorn", "--bind", "fd://{fd}", "--worker-class", "asgi", "--graceful-timeout", "2", *options, app]
    with _serve(command, _listener(), env, cwd) as server:
        yield server


@contextmanager
def granian(app: str, *options: str, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the ASGI application `module:name` by one worker. It takes no socket, only the number of a port."""
    reservation = socket.socket()  # bound, so that no other process gets the port, and not listening
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    port = reservation.getsockname()[1]
    command = ["granian", "--interface", "asgi", "--port", str(port), "--workers-kill-timeout", "5", *options, app]
    with _serve(command, reservation, env, cwd) as server:
        wait_until_it_listens(server.port, server.process)
        yield server


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when a connection is accepted, for a server that opens its socket itself."""
    deadline = time.monotonic() + BOUND
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), BOUND).close()
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)  # it does not report when it listens
        else:
            return


@contextmanager
def gunicorn_gevent(app: str, *options: str, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name` by one worker that gevent has patched."""
    command = ["gunicorn", "--bind", "fd://{fd}", "--worker-class", "gevent", "--graceful-timeout", "2", *options, app]
    with _serve(command, _listener(), env, cwd) as server:
        yield server


@contextmanager
def waitress(app: str, *options: str, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name`. Options are `name=number`, of `waitress.serve`.

    It buffers 16 MiB for each client unless `options` say less.
    """
    defaults = ["threads=32", f"outbuf_high_watermark={1 << 20}"]
    command = ["tests.support.serve_waitress", "{fd}", app, *defaults, *options]
    with _serve(command, _listener(), env, cwd) as server:
        yield server


@contextmanager
def werkzeug(app: str, *, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name` by Werkzeug's threaded server."""
    with _serve(["tests.support.serve_werkzeug", "{fd}", app], _listener(), env, cwd) as server:
        yield server


@contextmanager
def cheroot(app: str, *, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name` by cheroot, CherryPy's server."""
    with _serve(["tests.support.serve_cheroot", "{fd}", app], _listener(), env, cwd) as server:
        yield server


@contextmanager
def runserver(app: str, *, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name` by the server that Django has for development."""
    with _serve(["tests.support.serve_runserver", "{fd}", app], _listener(), env, cwd) as server:
        yield server


_NGINX_CONF = """
daemon off; master_process off; pid {here}/pid; error_log {here}/error.log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;
    uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; {settings} }} }}
}}
"""


@contextmanager
def nginx(upstream: Server, settings: str = "") -> Generator[Server]:
    """Put nginx in front of a server: `proxy_pass` as it comes, and `settings` of its location."""
    reservation = _listener()
    port = reservation.getsockname()[1]
    reservation.close()  # nginx opens its sockets itself
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryFile() as output:
        conf = Path(here) / "nginx.conf"
        conf.write_text(_NGINX_CONF.format(here=here, port=port, upstream=upstream.port, settings=settings))
        process = subprocess.Popen([NGINX.path, "-c", str(conf), "-p", here], stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until_it_listens(port, process)
            yield Server(port, process, output)
        finally:
            process.terminate()
            process.wait(10)


UWSGI = Path(sys.executable).parent / "uwsgi"  # of the extra `deployments`: it is compiled when it is installed


@contextmanager
def uwsgi(app: str, *options: str, cwd: Path = ROOT, **env: str) -> Generator[Server]:
    """Serve the WSGI application `module:name` by one uWSGI process, which speaks HTTP itself."""
    command = [str(UWSGI), "--http-socket", "fd://{fd}", "--module", app, "--home", sys.prefix, "--threads", "16"]
    with _serve([*command, "--die-on-term", *options], _listener(), env, cwd) as server:
        yield server
