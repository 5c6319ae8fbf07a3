"""A row, started: each program on a port of the system's choice, in a folder of its own, and stopped at the end."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tests.faults.probe import Probe
from tests.support.gate import BOUND
from tests.support.servers import ROOT, wait_until_it_listens
from tests.support.tls import Certificate, make_certificate

from .programs import Program
from .rows import Row

_BIN = Path(sys.executable).parent
_PATH = os.pathsep.join([str(_BIN), os.environ.get("PATH", ""), "/usr/sbin"])


@dataclass
class Deployment:
    """A row that runs.

    Attributes:
        row: which.
        port: where its client connects.
        server: the process of the application's server, which is sent SIGTERM.
        probe: what the application tells.
        certificate: of the face, if that speaks TLS.
        folder: of the programs, with what they write.
    """

    row: Row
    port: int
    server: subprocess.Popen[bytes]
    probe: Probe
    certificate: Certificate
    folder: Path

    @property
    def url(self) -> str:
        return f"{'https' if self.row.face.is_tls else 'http'}://127.0.0.1:{self.port}"

    def log(self) -> str:
        """Return what the programs have written."""
        logs = sorted([*self.folder.glob("*/output"), *self.folder.glob("*/error.log")])
        return "\n".join(f"--- {log.parent.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)


def missing(row: Row) -> str | None:
    """Return what is not installed and how to install it; None if everything is there."""
    for program in row.programs:
        name = program.command.split()[0]
        if shutil.which(name, path=_PATH) is None or ("mod_wsgi" in program.needs and find_spec("mod_wsgi") is None):
            return f"{program.name}: not installed ({program.needs})"
    return None


_OF_THE_SYSTEM = {"nginx": "-v", "caddy": "version", "haproxy": "-v", "apache2": "-v"}


def versions_of(programs: Iterable[Program]) -> dict[str, str]:
    """Return the versions of programs, by their names in `needs`."""
    found: dict[str, str] = {}
    for program in programs:
        name = program.command.split()[0]
        if (option := _OF_THE_SYSTEM.get(name)) is not None:
            words = [shutil.which(name, path=_PATH) or name, option]
            printed = subprocess.run(words, capture_output=True, text=True, check=True)
            number = re.search(r"\d+\.\d+\.\d+", printed.stdout + printed.stderr)
            found[name] = number[0] if number else "unknown"
        _, _, packages = program.needs.partition("pip: ")
        found |= {package: metadata.version(package) for package in packages.split()}
    return found


@contextmanager
def deployed(row: Row) -> Generator[Deployment]:
    """Run a row."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = make_certificate(folder)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "probe"))
        listener.listen()
        probe = Probe(listener)
        stack.callback(probe.close)
        names = {
            "chain": str(certificate.chain),
            "key": str(certificate.key),
            "package": row.module,
            "module": f"{row.module}:app",
            "venv": sys.prefix,
            "paths": f"{ROOT}:{ROOT / 'integrations'}",
            "mod_wsgi": _mod_wsgi(),
        }
        env = {"FAULTS_PROBE": str(folder / "probe")}
        server, port = stack.enter_context(_started(row.server, folder / "server", names, env))
        if row.front is not None:
            behind = {**names, "app": f"127.0.0.1:{port}"}
            _, port = stack.enter_context(_started(row.front, folder / "front", behind, env))
        deployment = Deployment(row, port, server, probe, certificate, folder)
        try:
            _wait_for_the_application(deployment)
            yield deployment
        except BaseException:
            print(deployment.log(), file=sys.stderr)  # noqa: T201  # what is wrong is there
            raise


def _wait_for_the_application(deployment: Deployment) -> None:
    if deployment.row.server.name.startswith("mod_wsgi"):  # it imports the application at the first request
        with socket.create_connection(("127.0.0.1", deployment.port), BOUND) as client:
            client.sendall(b"GET /hello HTTP/1.0\r\nHost: localhost\r\n\r\n")
            client.recv(1)
    deployment.probe.wait(lambda it: it.processes)


@contextmanager
def _started(
    program: Program, folder: Path, names: Mapping[str, str], env: Mapping[str, str]
) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    folder.mkdir()
    reservation = socket.socket()  # bound, so that no other program is given the port, and not listening
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    port = reservation.getsockname()[1]
    own = {**names, "listen": f"127.0.0.1:{port}", "host": "127.0.0.1", "port": str(port), "folder": str(folder)}
    for name, text in {"config": program.around.replace("<config>", program.config), **program.files}.items():
        (folder / name).write_text(filled(text, own))
    reservation.close()  # most set no SO_REUSEADDR before they bind
    words = shlex.split(filled(program.command, own))
    words[0] = shutil.which(words[0], path=_PATH) or words[0]
    if Path(words[0]).name == "apache2" and os.getuid() == 0:  # it does not serve as root
        words = ["unshare", "--user", "--map-user=1000", "--map-group=1000", *words]
    environment = {**os.environ, **env, "PYTHONPATH": names["paths"], "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            wait_until_it_listens(port, process)
            yield process, port
        except BaseException:
            print((folder / "output").read_text(errors="replace")[-3000:], file=sys.stderr)  # noqa: T201
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def filled(text: str, names: Mapping[str, str]) -> str:
    """Return a text with the names in angle brackets filled in."""
    for name, value in names.items():
        text = text.replace(f"<{name}>", value)
    return text


def _mod_wsgi() -> str:
    if find_spec("mod_wsgi") is None:
        return ""
    found = find_spec("mod_wsgi.server")
    folder = Path(str(found.origin if found else "")).parent
    return str(next(folder.glob("mod_wsgi-py*.so"), ""))
