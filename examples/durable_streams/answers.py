"""What all answers have."""

import stream_adapter as sa

__all__ = ["COMMON", "PREFLIGHT", "answer"]

COMMON = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "*",
}


def answer(status: int, headers: dict[str, str], body: bytes = b"") -> sa.Response:
    """Return an answer of this endpoint."""
    return sa.Response(body, status_code=status, headers={**COMMON, **headers})
