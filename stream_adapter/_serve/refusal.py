"""The response to a request that is refused."""

from __future__ import annotations

from stream_adapter._headers import checked_headers, outgoing_head, set_default
from stream_adapter._status import is_bodiless
from stream_adapter.errors import RefusalError

__all__ = ["bare_refusal", "refusal_head"]


def refusal_head(error: RefusalError) -> tuple[int, list[tuple[str, str]]]:
    """Return the status and the headers of the response to a refusal; a framework adds its own error page.

    Every subclass of `RefusalError`, a user's own included, is answered by its own status and headers.

    Raises:
        ValueError: its status is not one of a final response, or a header may not be sent.
        TypeError: the status is not a number, or a header is not text.
    """
    return outgoing_head(error.status_code, checked_headers(error.headers))


def bare_refusal(error: RefusalError) -> tuple[int, list[tuple[str, str]]]:
    """Return status and headers of a response without a body; gateways require a type and a length."""
    status, headers = refusal_head(error)
    if not is_bodiless(status):
        set_default(headers, "Content-Type", "text/plain")
        set_default(headers, "Content-Length", "0")
    return status, headers
