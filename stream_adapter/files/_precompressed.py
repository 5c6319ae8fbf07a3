"""Files that were compressed beforehand: `app.js.br` beside `app.js`, chosen by Accept-Encoding. Pure."""

from __future__ import annotations

from werkzeug.http import parse_accept_header

__all__ = ["SUFFIXES", "acceptable_codings"]

SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""Content coding → what the file's name ends with; those that compress better come first."""


def acceptable_codings(accept_encoding: str | None) -> list[str]:
    """Return the content codings that a client prefers to none, best first (RFC 9110, 12.5.3).

    Args:
        accept_encoding: the field's value; None if it is absent, and then nothing is said of what the client can read.
    """
    accepted = parse_accept_header(accept_encoding or "")
    plain = max((quality for coding, quality in accepted if coding.lower() == "identity"), default=0.0)
    quality = {coding: accepted.quality(coding) for coding in SUFFIXES}
    preferred = [coding for coding in SUFFIXES if quality[coding] > 0 and quality[coding] >= plain]
    return sorted(preferred, key=lambda coding: -quality[coding])
