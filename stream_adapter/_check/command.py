"""The command: arguments in, requests out, a report, and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping

import httpx

from .judgement import Finding, judge, last_id
from .probe import Probe, ask
from .report import as_json, as_text

__all__ = ["add_arguments", "run"]

_CODINGS = "gzip, deflate, br, zstd"  # what browsers offer


def run(url: str, headers: Mapping[str, str], *, seconds: float, verify: bool, json: bool) -> int:
    """Check one endpoint and print the report.

    Args:
        url: the endpoint.
        headers: to send with every request, such as a cookie.
        seconds: how long each request listens, at most.
        verify: whether to verify the certificate.
        json: print JSON.

    Returns:
        0: it streams; 1: a problem was found; 2: there was no response at all.
    """
    probe, findings = asyncio.run(_check(url, headers, seconds=seconds, verify=verify))
    sys.stdout.write((as_json if json else as_text)(url, probe, findings) + "\n")
    if probe.status is None:
        return 2
    return int(any(finding.level == "problem" for finding in findings))


async def _check(url: str, headers: Mapping[str, str], *, seconds: float, verify: bool) -> tuple[Probe, list[Finding]]:
    given = {"Accept": "*/*", "Cache-Control": "no-cache", **headers}
    async with httpx.AsyncClient(timeout=None, verify=verify, follow_redirects=True, http2=True) as client:  # noqa: S113  # bounded by `ask`
        plain = await ask(client, "GET", url, {**given, "Accept-Encoding": "identity"}, seconds=seconds)
        if plain.status is None:
            return plain, judge(plain, None, None, None)
        compressed = await ask(client, "GET", url, {**given, "Accept-Encoding": _CODINGS}, seconds=seconds)
        head = await ask(client, "HEAD", url, given, seconds=min(seconds, 5))
        resumed = None
        if (seen := last_id(plain)) is not None:
            again = {**given, "Accept-Encoding": "identity", "Last-Event-ID": seen}
            resumed = await ask(client, "GET", url, again, seconds=min(seconds, 5))
    return plain, judge(plain, compressed, head, resumed)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("url", type=_url, help="the endpoint, such as https://example.org/events")
    parser.add_argument("--header", "-H", action="append", default=[], type=_header, help="'Name: value', as in curl")
    parser.add_argument("--seconds", type=_positive, default=10.0, help="to listen, for each request (%(default)g)")
    parser.add_argument("--insecure", action="store_true", help="do not verify the certificate")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL: {error}") from None
    if url.port is not None and not 0 < url.port <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {url.port}")
    if url.scheme not in {"http", "https"} or not url.host:
        raise argparse.ArgumentTypeError(f"expected http://… or https://…, got {text!r}")
    return text


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(char in text for char in "\r\n\0"):
        raise argparse.ArgumentTypeError(f"expected 'Name: value', got {text!r}")
    if not text.isascii():
        raise argparse.ArgumentTypeError(f"expected a header of ASCII only, got {text!r}")
    return name.strip(), value.strip()


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"expected more than 0 and at most 3600 seconds, got {text}")
    return seconds
