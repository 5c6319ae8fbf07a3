"""Content codings, and which of them a client would rather have (RFC 9110, 12.5.3). Pure."""

from __future__ import annotations

from ._accept import clipped, read_qualities

__all__ = ["CODINGS", "acceptable_codings"]

CODINGS = ("br", "zstd", "gzip")
"""Those that are known here; those that compress better come first."""


def acceptable_codings(accept_encoding: str | None) -> list[str]:
    """Return the content codings that a client prefers to none, best first.

    Args:
        accept_encoding: the field's value; None if it is absent, and then nothing is said of what the client can read.
    """
    accepted = read_qualities(clipped(accept_encoding))
    plain = accepted.get("identity", 0.0)
    quality = {coding: accepted.get(coding, accepted.get("*", 0.0)) for coding in CODINGS}
    preferred = [coding for coding in CODINGS if quality[coding] > 0 and quality[coding] >= plain]
    return sorted(preferred, key=lambda coding: -quality[coding])
