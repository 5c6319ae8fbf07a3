"""Where an event stream resumes."""

from __future__ import annotations

from django.http import HttpRequest

from stream_adapter.integration import RequestHead

__all__ = ["last_event_id"]


def last_event_id(request: HttpRequest) -> str | None:
    """Return the id of the last event that the client of a request has seen; None for one that starts anew.

    It is that of the Last-Event-ID header, or else of the query parameter `last_event_id` (WHATWG HTML, 9.2.4).
    """
    return RequestHead.from_environ(request.META).last_event_id
