"""A second stream while the first is open: over six connections of HTTP/1.1, and over one of HTTP/2."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stream_adapter._check.parallel import ParallelStreams, parallel_findings
from stream_adapter._check.probe import Probe, Read
from tests.check.test_command import check
from tests.support.gate import BOUND
from tests.support.programs import OPENSSL
from tests.support.servers import gunicorn, hypercorn, uvicorn


def probe(
    begun_at: float, first: float | None, ended_at: float | None = None, version: str = "HTTP/1.1", **given: object
) -> Probe:
    probe = Probe("GET", {}, 200, version, begun_at=begun_at, ended_at=ended_at)
    probe.reads = [] if first is None else [Read(first, b"a")]
    for name, value in given.items():
        setattr(probe, name, value)
    return probe


CASES: dict[str, tuple[ParallelStreams, str | None, str]] = {
    "at once": (ParallelStreams(probe(0, 0.1), [probe(0.1, 0.1)] * 5, 2.2), "ok", "5 more"),
    "after the first": (
        ParallelStreams(probe(0, 0.1, 3.0), [probe(0.1, 3.0)] * 5, 2.2),
        "problem",
        "gunicorn --threads",
    ),
    "never": (ParallelStreams(probe(0, 0.1), [probe(0.1, None)] * 5, 2.2), "problem", "waits while the first is open"),
    "never over HTTP/2": (
        ParallelStreams(probe(0, 0.1, version="HTTP/2"), [probe(0, None)], 2.2),
        "problem",
        "of a connection",
    ),
    "at once over HTTP/2": (ParallelStreams(probe(0, 0.1, version="HTTP/2"), [probe(0, 0.1)], 2.2), "ok", "One more"),
    "some": (ParallelStreams(probe(0, 0.1), [probe(0.1, 0.1), probe(0.1, None)], 2.2), "advice", "1 of 2 more"),
    "slowly, as the first": (ParallelStreams(probe(0, 5.0, 9.0), [probe(5, 5.0)], 9.0), "ok", "started within 5.0 s"),
    "refused": (ParallelStreams(probe(0, 0.1), [probe(0.1, None, error="reset")], 2.2), "advice", "refused"),
    "unavailable": (ParallelStreams(probe(0, 0.1), [probe(0.1, 0.1, status=503)], 2.2), "advice", "503"),
    "not asked": (ParallelStreams(probe(0, 0.1)), None, ""),
    "the first broke": (ParallelStreams(probe(0, 0.1, error="reset"), [probe(0.1, None)], 2.2), None, ""),
}


@pytest.mark.parametrize(("parallel", "level", "text"), CASES.values(), ids=CASES)
def test_parallel_streams_give_a_finding_by_whether_they_waited(
    parallel: ParallelStreams, level: str | None, text: str
) -> None:
    found = list(parallel_findings(parallel))
    assert [finding.level for finding in found] == ([] if level is None else [level])
    assert all(text in finding.text for finding in found)


def second_stream(url: str, *options: str) -> dict[str, Any] | None:
    with httpx2.stream("GET", url, timeout=BOUND, verify=False) as response:  # waits for the server
        assert response.status_code == 200
    report = json.loads(check(url, "--seconds", "3", "--json", *options).stdout)
    return next((each for each in report["findings"] if each["about"] == "second stream"), None)


def test_a_server_of_one_thread_keeps_the_second_stream_waiting() -> None:
    with gunicorn("tests.check.apps:wsgi", threads=1) as server:
        found = second_stream(f"{server.url}/events")
    assert found is not None
    assert found["level"] == "problem"


def test_concurrent_streams_of_a_server_are_ok() -> None:
    with uvicorn("tests.check.apps:app") as server:
        found = second_stream(f"{server.url}/events")
    assert found is not None
    assert (found["level"], found["text"][:6]) == ("ok", "5 more")


@OPENSSL.needed
def test_over_http2_the_second_stream_is_on_the_connection_of_the_first(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    make = [OPENSSL.path, "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", certificate]
    subprocess.run(make, check=True, capture_output=True)
    with hypercorn("tests.check.apps:app", "--keyfile", key, "--certfile", certificate) as server:
        found = second_stream(f"https://127.0.0.1:{server.port}/events", "--insecure")
    assert found is not None
    assert found["level"] == "ok"
    assert "on the same HTTP/2 connection" in found["text"]
