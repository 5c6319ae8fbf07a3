"""The head of another application's response, as it may be sent."""

from __future__ import annotations

from collections.abc import Iterable

from stream_adapter._headers import make_headers
from stream_adapter._heads import is_bodiless, without_hop_by_hop

__all__ = ["sendable_headers"]


def sendable_headers(status: int, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Check headers, and leave out those that only the server may send, or that this status does not allow.

    Some applications give a 204 a Content-Length of 0. A client that trusts it, or a proxy, may lose its place in the
    connection; so it must not be sent with 1xx or 204 (RFC 9110, 8.6). A 304 may have that of its 200.

    Raises:
        ValueError: a name or a value may not be sent.
        TypeError: a name or a value is not text.
    """
    headers = without_hop_by_hop(make_headers(given))
    if is_bodiless(status) and status != 304:
        return [(name, value) for name, value in headers if name.lower() != "content-length"]
    return headers
