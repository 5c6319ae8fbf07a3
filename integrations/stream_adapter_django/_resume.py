"""Where a client that reconnects to an event stream left off."""

from __future__ import annotations

from django.http import HttpRequest

__all__ = ["last_event_id"]


def last_event_id(request: HttpRequest) -> str | None:
    """Return the id of the last event that the client has seen (WHATWG HTML, 9.2.4); None for a new one."""
    return request.headers.get("Last-Event-ID")
