"""Where an event stream resumes."""

from __future__ import annotations

from ._requests import known

__all__ = ["last_event_id"]


def last_event_id(request: object) -> str | None:
    """Return the id of the last event that the client of a request has seen; None if it has seen none.

    It is that of the Last-Event-ID header, or else of the query parameter `last_event_id` (WHATWG HTML, 9.2.4).

    Args:
        request: Django's, or that of Django REST framework.
    """
    return known(request).head.last_event_id
