"""`python -m stream_adapter check` against real servers, alone and behind nginx."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.gate import BOUND
from tests.support.programs import NGINX, OPENSSL
from tests.support.servers import ROOT, hypercorn, uvicorn, wait_until_it_listens

_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr; events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    gzip_types *; gzip_proxied any; gzip_min_length 0;
    server {{
        listen 127.0.0.1:{port};
        location /as_we_ask/ {{ proxy_http_version 1.0; proxy_pass http://127.0.0.1:{upstream}/; }}
        location /buffering/ {{
            proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering; proxy_pass http://127.0.0.1:{upstream}/;
        }}
        location /gzip/ {{ gzip on; proxy_pass http://127.0.0.1:{upstream}/; }}
        location /gzip_buffering/ {{
            gzip on; proxy_http_version 1.1; proxy_ignore_headers X-Accel-Buffering;
            proxy_pass http://127.0.0.1:{upstream}/;
        }}
    }}
}}
"""


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream_adapter", "check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    with uvicorn("tests.check.apps:app") as server:
        yield server.port


@pytest.fixture(scope="module")
def nginx(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as reservation:  # bound, so that no other program gets the port, and not listening
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        port = reservation.getsockname()[1]
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, upstream=upstream))
        process = subprocess.Popen([NGINX.path, "-p", folder, "-c", configuration], stderr=subprocess.DEVNULL)
        try:
            wait_until_it_listens(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def reports(nginx: str) -> dict[str, dict[str, Any]]:
    """Check every location, all at a time: they wait far more than they work."""
    paths = [f"/{location}/{what}" for location in _LOCATIONS for what in ("events", "rows")]

    def report(path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(check(nginx + path, "--seconds", "4", "--json").stdout)
        return found

    with ThreadPoolExecutor(len(paths)) as pool:
        return dict(zip(paths, pool.map(report, paths), strict=True))


_LOCATIONS = ("as_we_ask", "buffering", "gzip", "gzip_buffering")


def level(report: dict[str, Any], about: str) -> str | None:
    return next((each["level"] for each in report["findings"] if each["about"] == about), None)


@NGINX.needed
@pytest.mark.parametrize(
    ("path", "verdict", "compression", "ok"),
    [
        ("/as_we_ask/events", "streams", None, True),
        ("/as_we_ask/rows", "streams", None, True),
        ("/buffering/events", "at the end", None, False),
        ("/buffering/rows", "blocks", None, False),
        ("/gzip/events", "streams", "ok", True),
        ("/gzip/rows", "streams", "ok", True),
        ("/gzip_buffering/events", "streams", "problem", False),
        ("/gzip_buffering/rows", "streams", "problem", False),
    ],
)
def test_report_shows_whether_nginx_streams_or_buffers(
    reports: dict[str, dict[str, Any]], path: str, verdict: str, compression: str | None, ok: bool
) -> None:
    report = reports[path]
    assert (report["timing"]["verdict"], level(report, "compression"), report["ok"]) == (verdict, compression, ok)


@NGINX.needed
def test_report_names_nginx_as_the_buffer(reports: dict[str, dict[str, Any]]) -> None:
    for path in ("/buffering/events", "/buffering/rows"):
        found = next(each["text"] for each in reports[path]["findings"] if each["about"] == "timing")
        assert "proxy_buffering off" in found
    assert reports["/buffering/rows"]["timing"]["buffer"] in {4096, 8192}


def test_report_of_a_streaming_endpoint_names_no_problem(upstream: int) -> None:
    result = check(f"http://127.0.0.1:{upstream}/events", "--seconds", "4")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "It streams: 10 reads" in result.stdout
    assert "Valid: 10 events, 10 with an id, retry 2000 ms." in result.stdout
    assert "After id 9 it continues with id 10." in result.stdout
    assert result.stdout.endswith("No problem was found.\n")


def test_headers_of_the_arguments_are_sent(upstream: int) -> None:
    result = check(f"http://127.0.0.1:{upstream}/events", "--seconds", "3", "-H", "Last-Event-ID: 41", "--json")
    assert '"status": 200' in result.stdout
    assert json.loads(result.stdout)["headers"]["content-type"] == "text/event-stream"


@OPENSSL.needed
def test_http2_is_used_where_the_server_offers_it(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    make = [OPENSSL.path, "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", certificate]
    subprocess.run(make, check=True, capture_output=True)
    with hypercorn("tests.check.apps:app", "--keyfile", key, "--certfile", certificate) as server:
        url = f"https://127.0.0.1:{server.port}/events"
        with httpx2.stream("GET", url, timeout=BOUND, verify=False) as response:  # waits for the server
            assert response.status_code == 200
        result = check(url, "--seconds", "3", "--insecure", "--json")
    report = json.loads(result.stdout)
    assert report["http_version"] == "HTTP/2"
    assert level(report, "HTTP/1.1") is None


def test_refused_connection_gives_exit_code_2() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        result = check(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert result.returncode == 2
    assert "No response: ConnectError" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://example.org/"], "expected http://… or https://…, got 'ftp://example.org/'"),
        (["example.org"], "expected http://… or https://…, got 'example.org'"),
        (["http://example.org", "-H", "nonsense"], "expected 'Name: value', got 'nonsense'"),
        (["http://example.org", "-H", "Name: é"], "expected a header of ASCII only, got 'Name: é'"),
        (["http://example.org:99999"], "expected a port from 1 to 65535, got 99999"),
        (["http://example.org", "--seconds", "ten"], "expected more than 0 and at most 3600 seconds, got ten"),
        (["http://example.org", "--seconds", "0"], "expected more than 0 and at most 3600 seconds, got 0"),
        ([], "the following arguments are required: url"),
    ],
)
def test_invalid_argument_gives_exit_code_2_and_a_message(arguments: list[str], message: str) -> None:
    result = check(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
