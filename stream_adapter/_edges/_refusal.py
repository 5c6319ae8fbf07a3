"""The answer to a request that is refused, where no framework has one of its own."""

from __future__ import annotations

from stream_adapter.errors import RefusalError

__all__ = ["refusal_headers"]


def refusal_headers(error: RefusalError) -> list[tuple[str, str]]:
    """Return the headers of an answer without a body; gateways insist on a type all the same."""
    return [*error.headers.items(), ("Content-Type", "text/plain"), ("Content-Length", "0")]
