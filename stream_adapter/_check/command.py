"""The command: arguments in, requests out, a report, and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping

from .beside import Beside, how_many
from .client import Client, check_url
from .decoding import offered
from .findings import Finding, judge, last_id
from .probe import Probe
from .report import as_json, as_text
from .timing import cadence_of

__all__ = ["add_arguments", "check", "run"]

_SHORT = 5.0  # seconds for what needs no long look
_BESIDE = 2.0  # seconds, at least, in which a second stream is to begin


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
    probe, findings = asyncio.run(check(url, headers, seconds=seconds, verify=verify))
    _print((as_json if json else as_text)(url, probe, findings))
    if probe.status is None:
        return 2
    return int(any(finding.level == "problem" for finding in findings))


def _print(report: str) -> None:
    """Print it; what the terminal's encoding has not is escaped."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(report.encode(encoding, "backslashreplace").decode(encoding) + "\n")


async def check(url: str, headers: Mapping[str, str], *, seconds: float, verify: bool) -> tuple[Probe, list[Finding]]:
    """Send the requests; return the first of them, and what was found."""
    client, short = Client(headers, verify=verify), min(seconds, _SHORT)
    accepts = {"Accept": "*/*", "Cache-Control": "no-cache"}
    plainly = {**accepts, "Accept-Encoding": "identity"}
    await client.warm_up()
    plain = await client.ask("GET", url, plainly, seconds=seconds)
    if plain.status is None:
        return plain, judge(plain, None, None, None)
    compressed = await client.ask("GET", url, {**accepts, "Accept-Encoding": offered()}, seconds=seconds)
    head = await client.ask("HEAD", url, accepts, seconds=short)
    resumed = None
    if (seen := last_id(plain)) is not None:
        resumed = await client.ask("GET", url, {**plainly, "Last-Event-ID": seen}, seconds=short)
    beside = await _beside(client, url, plainly, seconds=short) if _is_worth_a_second(plain) else None
    return plain, judge(plain, compressed, head, resumed, beside)


def _is_worth_a_second(plain: Probe) -> bool:
    """Return True if a stream is open for long enough to see whether another one waits for it."""
    return plain.status == 200 and cadence_of(plain).verdict in {"streams", "begun", "headers only"}


async def _beside(client: Client, url: str, headers: Mapping[str, str], *, seconds: float) -> Beside:
    """Open one stream, and while that is open as many more as a browser would."""
    beside = Beside(Probe("GET", headers))
    first = beside.first
    async with client.connections() as connections:
        began = asyncio.Event()
        listening = [asyncio.create_task(client.ask_over(connections, first, url, seconds=seconds, began=began))]
        try:
            await began.wait()
            latency = asyncio.get_running_loop().time() - first.begun_at
            if first.status == 200 and not listening[0].done():
                beside.others = [Probe("GET", headers) for _ in range(how_many(first.version))]
                beside.waited = min(seconds, max(_BESIDE, 2 * latency + _BESIDE))
                starts = [asyncio.Event() for _ in beside.others]
                listening += [
                    asyncio.create_task(client.ask_over(connections, other, url, seconds=seconds, began=start))
                    for other, start in zip(beside.others, starts, strict=True)
                ]
                everyone = asyncio.gather(*(start.wait() for start in starts))
                await asyncio.wait([everyone], timeout=beside.waited)
                everyone.cancel()
                await asyncio.wait([everyone])
        finally:
            for task in listening:
                task.cancel()
            await asyncio.wait(listening)
    return beside


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("url", type=_url, help="the endpoint, such as https://example.org/events")
    parser.add_argument("--header", "-H", action="append", default=[], type=_header, help="'Name: value', as in curl")
    parser.add_argument("--seconds", type=_positive, default=10.0, help="to listen, for each request (%(default)g)")
    parser.add_argument("--insecure", action="store_true", help="do not verify the certificate")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _url(text: str) -> str:
    try:
        return check_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
