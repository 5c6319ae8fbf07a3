"""Merge the headers of a framework's response with those of a stream. Pure: arguments are not changed."""

from __future__ import annotations

from collections.abc import Iterable

from ._headers import Pairs, sendable, united_vary

__all__ = ["merge_headers"]

# Lists whose members say something each on its own: one side's do not replace the other's
_ADDITIVE = frozenset({"link", "server-timing"})


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
    merged = sendable(framework)
    present = {name.lower() for name, _ in merged}
    stands = {name.lower() for name in copied}
    cookies = {_identity(value) for name, value in merged if name.lower() == "set-cookie"}
    lines = {(name.lower(), value) for name, value in merged if name.lower() in _ADDITIVE}
    vary: list[str] = []
    joined: list[tuple[str, str]] = []
    for name, value in sendable(stream):
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
    """Return the identity of a Set-Cookie: a browser replaces one of the same name, domain, path and partition."""
    pair, *attributes = cookie.split(";")
    given: dict[str, str] = {}
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        given[key.strip().lower()] = value.strip()
    domain = given.get("domain", "").lower().removeprefix(".")
    return pair.partition("=")[0].strip(), domain, given.get("path", ""), "partitioned" in given
