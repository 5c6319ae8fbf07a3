"""A small body of text or bytes, as it is resolved for most requests: what does not depend on it is made once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ._encode import Encode
from ._headers import content_length
from ._options import NO_OPTIONS, ResponseOptions
from ._request import RequestHead
from ._resolved import LARGE_BODY, Flow, Resolved
from ._source import Source
from ._status import is_bodiless
from .formats import Auto, Format

__all__ = ["resolve_plain"]

_ENCODE: Mapping[type, Encode] = {str: str.encode, bytes: bytes.__bytes__}


def resolve_plain(source: Source, options: ResponseOptions, head: RequestHead, text_media_type: str) -> Resolved | None:
    """Return what is sent of a small text or bytes; None if anything about them is to be looked at more closely.

    Args:
        source: the content, which is one chunk, or none.
        options: of the response.
        head: of the request.
        text_media_type: what unnamed text is sent as.
    """
    content, status = source.content, options.status_code
    cls: type = type(content)  # pyright: ignore[reportUnknownVariableType]  # of anything
    encode = _ENCODE.get(cls)
    if (
        encode is None
        or len(content) > LARGE_BODY
        or options.format is not None
        or options.content_type is not None
        or options.strict
        or options.charset != "utf-8"
        or options.on_close is not None
        or is_bodiless(status, head.method)
        or (options.headers and content_length(options.headers) is not None)
    ):
        return None
    try:
        body = encode(content)
    except UnicodeEncodeError:
        return None
    if len(body) > LARGE_BODY:
        return None
    format, flow = _plan(cls, text_media_type)
    headers = options.head_in(format)
    headers.append(("Content-Length", str(len(body))))
    return Resolved(status, headers, source.take(), flow, body, request=head)


@lru_cache(maxsize=16)
def _plan(cls: type, text_media_type: str) -> tuple[Format, Flow]:
    """Return the format of a body of this type, and how its items would be sent: it has none."""
    format = Auto(text_media_type).choose_whole(cls, strict=False)
    flow = Flow(
        encoder=format.encoder(strict=False, charset="utf-8"),
        limits=NO_OPTIONS.limits,
        default_limits=True,
        keeps_length=True,
    )
    return format, flow
