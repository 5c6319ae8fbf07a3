"""The header fields that a response has where its user has set none: its type, those of its format, the safe ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from ._headers import Pairs, has_field, know_fields, set_default, united_vary
from ._media_types import with_charset

__all__ = ["added_fields", "completed_head"]

Fields: TypeAlias = tuple[tuple[str, str], ...]


def completed_head(
    own: Pairs, content_type: str, charset: str, defaults: Iterable[tuple[str, str]], *, has_body: bool = True
) -> list[tuple[str, str]]:
    """Return header fields of the user's, and what they lack of the defaults; Vary is united.

    Args:
        own: the user's fields.
        content_type: the Content-Type; a text type gets the charset.
        charset: of text.
        defaults: the format's fields, each once.
        has_body: whether the response has one; else a 304 would change what a cache has stored.
    """
    headers = list(own)
    set_default(headers, "Content-Type", with_charset(content_type, charset))
    for name, value in defaults:
        if name.lower() == "vary":
            headers = united_vary(headers, value)
        else:
            set_default(headers, name, value)
    if has_body:
        _add_safe_defaults(headers)
    return headers


@lru_cache(maxsize=512)  # by the names of the user's fields: what is in them may be for one client only
def added_fields(
    names: tuple[str, ...], content_type: str, charset: str, of_format: Fields, *, has_body: bool
) -> Fields:
    """Return what is added to fields of these names, which do not include Vary."""
    own = [(name, "") for name in names]
    added = tuple(completed_head(own, content_type, charset, of_format, has_body=has_body)[len(own) :])
    know_fields(added)
    return added


def _add_safe_defaults(headers: list[tuple[str, str]]) -> None:
    """Add the fields of every response with a body, unless the user or the format has set them.

    `nosniff`: a browser does not guess another type than the one that is named, and runs none of it as a script.
    `no-cache`: a cache asks before it answers with it. Without that, many keep a response by heuristics (RFC 9111,
    4.2.2), or by the ending of its path, and give one user's to the next.
    """
    if not has_field(headers, "expires"):
        set_default(headers, "Cache-Control", "no-cache")
    set_default(headers, "X-Content-Type-Options", "nosniff")
