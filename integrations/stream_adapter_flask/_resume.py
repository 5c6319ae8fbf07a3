"""Where an event stream resumes."""

from __future__ import annotations

import re

from flask import request

__all__ = ["last_event_id"]

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def last_event_id() -> str | None:
    """Return the id of the last event that the client of this request has seen (WHATWG HTML, 9.2.4).

    It is that of the Last-Event-ID header, which is UTF-8, or else of the query parameter `last_event_id`, for clients
    that cannot set headers. An id that is empty, no text, or has a control character in it is none that an event had:
    it counts as absent, so that such a client starts anew instead of being turned away.
    """
    return _valid(_header()) or _valid(request.args.get("last_event_id"))


def _header() -> str | None:
    value = request.headers.get("Last-Event-ID")
    try:
        return value and value.encode("latin-1").decode()  # WSGI decodes every header as latin-1 (PEP 3333)
    except UnicodeError:
        return None


def _valid(value: str | None) -> str | None:
    return None if not value or _CONTROLS.search(value) else value
