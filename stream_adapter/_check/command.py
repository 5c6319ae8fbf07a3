"""The command: arguments in, requests out, a report, and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping

from .client import Client, check_url
from .decoding import offered
from .findings import Finding, findings_of, last_id
from .parallel import ParallelStreams, extra_streams
from .probe import Probe
from .report import as_json, as_text
from .timing import timing_of

__all__ = ["add_arguments", "check", "run"]

_SHORT = 5.0  # seconds, at most, for requests that need little time
_PARALLEL_TIME = 2.0  # seconds, at least, within which a second stream must start


def run(url: str, headers: Mapping[str, str], *, seconds: float, verify: bool, json: bool) -> int:
    """Check one endpoint and print the report.

    Args:
        url: the endpoint.
        headers: to send with every request, such as a cookie.
        seconds: how long each request listens, at most.
        verify: whether to verify the certificate.
        json: print JSON.

    Returns:
        0: no problem was found; 1: a problem was found; 2: the server did not respond.
    """
    probe, findings = asyncio.run(check(url, headers, seconds=seconds, verify=verify))
    _print((as_json if json else as_text)(url, probe, findings))
    if probe.status is None:
        return 2
    return int(any(finding.level == "problem" for finding in findings))


def _print(report: str) -> None:
    """Print the report; escape characters that the terminal's encoding does not have."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(report.encode(encoding, "backslashreplace").decode(encoding) + "\n")


async def check(url: str, headers: Mapping[str, str], *, seconds: float, verify: bool) -> tuple[Probe, list[Finding]]:
    """Send the requests; return the first probe, and the findings."""
    client, short = Client(headers, verify=verify), min(seconds, _SHORT)
    accepts = {"Accept": "*/*", "Cache-Control": "no-cache"}
    plainly = {**accepts, "Accept-Encoding": "identity"}
    await client.warm_up()
    plain = await client.ask("GET", url, plainly, seconds=seconds)
    if plain.status is None:
        return plain, findings_of(plain, None, None, None)
    compressed = await client.ask("GET", url, {**accepts, "Accept-Encoding": offered()}, seconds=seconds)
    head = await client.ask("HEAD", url, accepts, seconds=short)
    resumed = None
    if (seen := last_id(plain)) is not None:
        resumed = await client.ask("GET", url, {**plainly, "Last-Event-ID": seen}, seconds=short)
    parallel = await _parallel(client, url, plainly, seconds=short) if _is_worth_a_second(plain) else None
    return plain, findings_of(plain, compressed, head, resumed, parallel)


def _is_worth_a_second(plain: Probe) -> bool:
    """Return True if a stream stays open long enough to see whether another one waits for it."""
    return plain.status == 200 and timing_of(plain).verdict in {"streams", "begun", "headers only"}


async def _parallel(client: Client, url: str, headers: Mapping[str, str], *, seconds: float) -> ParallelStreams:
    """Open one stream and, while it is open, as many more as a browser would."""
    parallel = ParallelStreams(Probe("GET", headers))
    first = parallel.first
    async with client.connections() as connections:
        began = asyncio.Event()
        listening = [asyncio.create_task(client.ask_over(connections, first, url, seconds=seconds, began=began))]
        try:
            await began.wait()
            latency = asyncio.get_running_loop().time() - first.begun_at
            if first.status == 200 and not listening[0].done():
                parallel.others = [Probe("GET", headers) for _ in range(extra_streams(first.version))]
                parallel.waited = min(seconds, max(_PARALLEL_TIME, 2 * latency + _PARALLEL_TIME))
                starts = [asyncio.Event() for _ in parallel.others]
                listening += [
                    asyncio.create_task(client.ask_over(connections, other, url, seconds=seconds, began=start))
                    for other, start in zip(parallel.others, starts, strict=True)
                ]
                everyone = asyncio.gather(*(start.wait() for start in starts))
                await asyncio.wait([everyone], timeout=parallel.waited)
                everyone.cancel()
                await asyncio.wait([everyone])
        finally:
            for task in listening:
                task.cancel()
            await asyncio.wait(listening)
    return parallel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("url", type=_url, help="the endpoint, such as https://example.org/events")
    parser.add_argument(
        "--header",
        "-H",
        action="append",
        default=[],
        type=_header,
        help="'Name: value' to send with every request, as in curl; may be repeated",
    )
    parser.add_argument("--seconds", type=_positive, default=10.0, help="to listen per response, at most (%(default)g)")
    parser.add_argument("--insecure", action="store_true", help="do not verify the certificate")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


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
