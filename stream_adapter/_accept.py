"""The preferences of a client: Accept and Accept-Encoding (RFC 9110, 12.4.2, 12.5.1 and 12.5.3).

Clients write these fields, so reading one takes time and memory in proportion to its length, which is bounded. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ._media_types import without_parameters

__all__ = ["CODINGS", "Qualities", "acceptable_codings", "clipped", "quality_of", "read_qualities"]

Qualities = Mapping[str, float]
"""By media range or coding, in lower case: from 0, which is "not acceptable", to 1."""

CODINGS = ("br", "zstd", "gzip")
"""Those that are known here; those that compress better come first."""

_LONGEST = 1024  # characters; a browser's Accept has some 150
_NOTHING: Qualities = MappingProxyType({})
# Possessive, so that it is linear; one that is never closed reaches to the end, and takes no other item with it
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_QUALITY = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")


def clipped(field: str | None) -> str:
    """Return a field to be read, which is also what a cache may have for a key; "" if it is absent or too long."""
    return "" if field is None or len(field) > _LONGEST else field


def read_qualities(field: str) -> Qualities:
    """Read an Accept or Accept-Encoding: return the quality of each item.

    An item with a malformed quality is left out. So is a media range with parameters: nothing on offer has any, and
    such a range takes nothing else (12.5.1). A field that is too long counts as absent.
    """
    field = clipped(field)
    if not field:
        return _NOTHING
    if '"' in field:
        field = _QUOTED.sub('""', field)
    qualities: dict[str, float] = {}
    for item in field.split(","):
        name, *parameters = (part.strip(" \t") for part in item.split(";"))
        quality = _read_quality(parameters)
        if name and quality is not None:
            name = name.lower()
            qualities[name] = max(quality, qualities.get(name, 0.0))
    return qualities


def _read_quality(parameters: list[str]) -> float | None:
    """Return the quality of an item; None if it is malformed, or comes after a parameter of the media range itself."""
    if not parameters:
        return 1.0
    name, _, value = parameters[0].partition("=")
    return float(value) if name.lower() == "q" and _QUALITY.fullmatch(value) else None


def quality_of(media_type: str, qualities: Qualities) -> tuple[float, int]:
    """Return the quality of a media type, by the most specific range that matches it, and how specific that range is.

    Quality 0: the client does not accept the type. A type by name counts 2, `text/*` counts 1, and `*/*` 0.
    """
    name = without_parameters(media_type)
    kind = name.partition("/")[0]
    for specificity, media_range in ((2, name), (1, f"{kind}/*"), (0, "*/*")):
        if media_range in qualities:
            return qualities[media_range], specificity
    return 0.0, 0


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
