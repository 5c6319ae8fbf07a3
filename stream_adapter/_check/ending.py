"""How a body ended: whether it is complete, as far as its framing and its content show. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from stream_adapter._media_types import JSON_LINES
from stream_adapter._status import is_bodiless

from .finding import Finding
from .probe import Probe

__all__ = ["ending_findings"]

_MOST_JSON = 1 << 20  # bytes that are parsed to see whether they end where they should


def ending_findings(probe: Probe) -> Iterator[Finding]:
    """Report a body that has ended and may be, or is, incomplete."""
    if probe.ended_at is None or probe.error is not None or is_bodiless(probe.status or 200):
        return
    if probe.version == "HTTP/1.1" and not _says_its_end(probe):
        yield Finding(
            "advice",
            "framing",
            "It should have a Content-Length or chunked encoding: it ends with the connection, so a client cannot "
            "distinguish a broken stream from a complete one.",
        )
    if (place := _torn(probe)) is not None:
        yield Finding(
            "problem",
            "truncated",
            f"It ends {place}, but is complete for HTTP: the body was truncated.",
        )


def _says_its_end(probe: Probe) -> bool:
    return "content-length" in probe.headers or "chunked" in probe.headers.get("transfer-encoding", "").lower()


def _torn(probe: Probe) -> str | None:
    """Return where in its content a body ends, if a complete body cannot end there."""
    if probe.coding or probe.status != 200:
        return None
    body = probe.body
    if probe.media_type in JSON_LINES and body and not body.endswith(b"\n"):
        return None if _is_json(body[body.rfind(b"\n") + 1 :]) else "within a line of JSON"
    if probe.media_type == "application/json-seq" and body and not body.endswith(b"\n"):
        return "within a record"
    if probe.media_type == "application/json" and len(body) <= _MOST_JSON:
        return None if _is_json(body) else "within a JSON value"
    if probe.media_type.startswith("multipart/") and body and not body.rstrip().endswith(b"--"):
        return "before the last boundary"
    return None


def _is_json(text: bytes) -> bool:
    """Return True if the text is a JSON value, or too large or too deep to decide."""
    if len(text) > _MOST_JSON:
        return True
    try:
        json.loads(text)
    except RecursionError:
        return True
    except ValueError as error:
        return "digits" in str(error)  # Python limits the digits of an integer, JSON does not
    return True
