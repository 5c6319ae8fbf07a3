"""Which of several formats a client would rather have (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from types import MappingProxyType

from stream_adapter._accept import Qualities, quality_of

from ._base import NO_BUFFERING, Format

__all__ = ["preferred"]


def preferred(offered: Sequence[Format], ranges: Qualities | None) -> Format:
    """Return the format that a client prefers, as it is sent then: live, and named as one of several.

    The highest quality wins. Between equals it is one that the client names over one that it only does not rule out,
    and then the first that is offered. That is also what it gets if it accepts none of them: most clients can use what
    they did not think to ask for.

    Args:
        offered: each of another media type, the default first.
        ranges: of the client's Accept. None does not negotiate: the default is returned as it is.
    """
    if ranges is None or len(offered) == 1:
        return offered[0]
    best, likes = offered[0], (0.0, 0)
    for format in offered:
        liked = quality_of(format.media_type, ranges)
        if liked > likes and liked[0] > 0:
            best, likes = format, liked
    chosen = copy(best)
    # RFC 9110, 12.5.5: a cache is to ask again for who accepts something else
    chosen.headers = MappingProxyType({**NO_BUFFERING, **chosen.headers, "Vary": "Accept"})
    return chosen
