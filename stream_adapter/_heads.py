"""The head of a response that is about to go out: what it may say, and how a framework's own headers join a stream's.

All of it is pure. Nothing that is passed in is changed, because it may be shared by every request of an application.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ._headers import Pairs, check_field, check_status, content_length, united_vary

__all__ = ["is_bodiless", "merge_headers", "outgoing_head", "without_hop_by_hop"]

logger = logging.getLogger("stream_adapter")

# RFC 9110, 7.6.1, and PEP 3333, which forbids them to applications
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
# Lists whose members say something each on its own: one side's do not replace the other's
_ADDITIVE = frozenset({"link", "server-timing"})


def is_bodiless(status: int) -> bool:
    """Return True if a response of this status has no body, whatever its headers say (RFC 9112, 6.3)."""
    return status < 200 or status in {204, 304}


def outgoing_head(status: int, headers: Pairs) -> tuple[int, list[tuple[str, str]]]:
    """Return a head as it goes out. Each one passes here when it is final, before its first byte.

    What is checked at construction can be changed later: on the response, by a format, by a framework's middleware.

    Raises:
        ValueError: the status is not one of a final response, a name or a value may not be sent, or the Content-Length
            is not a number.
        TypeError: the status is not a number, or a name or a value is not text.
    """
    status = check_status(status)
    kept = _sendable(headers)
    if content_length(kept) is not None and is_bodiless(status):  # RFC 9110, 8.6
        kept = [pair for pair in kept if pair[0].lower() != "content-length"]
    return status, kept


def without_hop_by_hop(headers: Pairs) -> list[tuple[str, str]]:
    """Return the fields that an application may send: hop-by-hop ones are the server's (PEP 3333)."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() in _HOP_BY_HOP:
            logger.debug("the header %s is dropped: hop-by-hop fields are the server's to send", name)
        else:
            kept.append((name, value))
    return kept


def _sendable(headers: Pairs) -> list[tuple[str, str]]:
    return without_hop_by_hop([check_field(name, value) for name, value in headers])


def merge_headers(stream: Pairs, framework: Pairs, *, copied: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Join the headers of a stream with those that a framework, its middleware or a dependency set for the response.

    Neither argument is changed, and the result is a list of its own. The framework's fields come first, in their order.

    - A field that both have is the framework's, with all of its lines: it was set later, by code that saw the stream's.
    - `Set-Cookie` is kept from both. Where both set one cookie (of the same name, domain and path, RFC 6265, 5.3), the
      framework's is sent.
    - `Vary` is the union of both; `*` stands for all.
    - `Link` and `Server-Timing` are kept from both, and no line twice.
    - Hop-by-hop fields of either side are dropped.

    Args:
        stream: what the response says: `body.headers`, which are final after `start()`.
        framework: what the framework's response object says by now.
        copied: names of fields that were copied from the stream's when the framework's object was made. Its version of
            these stands, also where it has removed them; except for `Vary`, to which the stream may have added since.

    Raises:
        ValueError: a name or a value may not be sent.
        TypeError: a name or a value is not text.
    """
    merged = _sendable(framework)
    present = {name.lower() for name, _ in merged}
    stands = {name.lower() for name in copied}
    cookies = {_identity(value) for name, value in merged if name.lower() == "set-cookie"}
    lines = {(name.lower(), value) for name, value in merged if name.lower() in _ADDITIVE}
    vary: list[str] = []
    joined: list[tuple[str, str]] = []
    for name, value in _sendable(stream):
        lower = name.lower()
        if lower == "vary":
            vary.append(value)
        elif lower in stands:
            continue
        elif lower == "set-cookie":
            if _identity(value) not in cookies:
                joined.append((name, value))
        elif lower not in present or (lower in _ADDITIVE and (lower, value) not in lines):
            joined.append((name, value))
    merged += joined
    return united_vary(merged, ", ".join(vary)) if vary else merged


def _identity(cookie: str) -> tuple[str, str, str, bool]:
    """Return that by which a Set-Cookie replaces another in a browser: name, domain, path, and the partition."""
    pair, *attributes = cookie.split(";")
    given = dict[str, str]()
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        given[key.strip().lower()] = value.strip()
    domain = given.get("domain", "").lower().removeprefix(".")
    return pair.partition("=")[0].strip(), domain, given.get("path", ""), "partitioned" in given
