"""Status codes: which a response may have, which have no body, and the line in which WSGI has one (RFC 9110, 15)."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

__all__ = ["check_status", "is_bodiless", "status_line"]


def check_status(status: object) -> int:
    """Return `status` if a final response may have it; 1xx are interim, and the server's to send (RFC 9110, 15.2).

    Raises:
        ValueError: it is not from 200 to 599.
        TypeError: it is not a whole number.
    """
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status_code: expected 200 to 599, got {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"status_code: expected 200 to 599, got {status}")
    return int(status)


def is_bodiless(status: int, method: str = "GET") -> bool:
    """Return True if the answer to a request has no body, whatever its headers say (RFC 9112, 6.3).

    Args:
        status: of the response.
        method: of the request.
    """
    return status < 200 or status in {204, 304} or method == "HEAD"


@lru_cache(maxsize=512)
def status_line(status: int) -> str:
    """Return the status as WSGI writes it, with its phrase (RFC 9110, 15)."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"
