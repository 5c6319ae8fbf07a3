"""The findings, as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from .finding import Finding, printable, shown
from .probe import Probe
from .timing import timing_of

__all__ = ["as_json", "as_text"]


def as_text(url: str, probe: Probe, findings: list[Finding]) -> str:
    """Return the report for a terminal."""
    answer = "no response"
    if probe.status is not None:
        answer = f"{shown(probe.version)} {probe.status}, {shown(probe.media_type) or 'no type'}"
    width = max(len(finding.about) for finding in findings)
    lines = [f"GET {url}", f"    {answer}", ""]
    lines += [f"{finding.level:>7}  {finding.about:<{width}}  {finding.text}" for finding in findings]
    return "\n".join(map(printable, [*lines, "", _conclusion(findings)]))


def _conclusion(findings: list[Finding]) -> str:
    problems = sum(finding.level == "problem" for finding in findings)
    if problems:
        return f"{problems} problem{'' if problems == 1 else 's'}."
    return "No problem was found."


def as_json(url: str, probe: Probe, findings: list[Finding]) -> str:
    """Return the report for programs."""
    report = {
        "url": url,
        "status": probe.status,
        "http_version": probe.version or None,
        "headers": dict(probe.headers),
        "headers_at": probe.headers_at,
        "ended_at": probe.ended_at,
        "bytes": len(probe.body),
        "timing": asdict(timing_of(probe)),
        "cadence": asdict(timing_of(probe)),  # the former name of "timing", for programs that read it
        "findings": [asdict(finding) for finding in findings],
        "ok": all(finding.level != "problem" for finding in findings),
    }
    return json.dumps(report, indent=2)
