"""A compressor that keeps events from browsers is found, and the advice that is given helps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.check.test_command import check, level
from tests.support.gate import BOUND
from tests.support.servers import gunicorn, uvicorn


@pytest.fixture(scope="module")
def reports() -> Iterator[dict[str, dict[str, Any]]]:
    with (
        gunicorn("tests.check.gzip_app:wsgi") as wsgi,
        uvicorn("tests.check.gzip_app:asgi", "--lifespan", "off") as asgi,
        ThreadPoolExecutor(2) as pool,
    ):
        urls = {
            f"{name} {path}": f"{server.url}/{path}"
            for name, server in (("WSGI", wsgi), ("ASGI", asgi))
            for path in PATHS
        }

        for url in urls.values():  # a first request waits for the server to be there
            with httpx2.stream("GET", url, timeout=BOUND):
                pass

        def report(url: str) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(check(url, "--seconds", "2", "--json").stdout)
            return found

        yield dict(zip(urls, pool.map(report, urls.values()), strict=True))


PATHS = ("events", "left-out")


@pytest.mark.parametrize("protocol", ["WSGI", "ASGI"])
def test_compressor_that_keeps_events_from_browsers_is_found(reports: dict[str, dict[str, Any]], protocol: str) -> None:
    report = reports[f"{protocol} events"]
    assert report["timing"]["verdict"] == "streams"
    assert (level(report, "compression"), report["ok"]) == ("problem", False)
    text = next(each["text"] for each in report["findings"] if each["about"] == "compression")
    assert "Content-Encoding: identity" in text


@pytest.mark.parametrize("protocol", ["WSGI", "ASGI"])
def test_advice_of_identity_keeps_the_response_uncompressed(reports: dict[str, dict[str, Any]], protocol: str) -> None:
    report = reports[f"{protocol} left-out"]
    assert (level(report, "compression"), report["ok"]) == (None, True)
    assert report["timing"]["verdict"] == "streams"
