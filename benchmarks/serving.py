"""The contenders behind real servers: those of the tests, without their logs."""

from __future__ import annotations

from contextlib import AbstractContextManager

from benchmarks.contenders import Contender, Protocol
from tests.support.servers import Server, gunicorn, uvicorn

__all__ = ["serve"]


def serve(contender: Contender, protocol: Protocol) -> AbstractContextManager[Server]:
    """Start a server with one process for a contender: uvicorn, or gunicorn's gthread worker."""
    app = f"benchmarks.apps.{contender.factory}"
    if protocol == "wsgi":
        return gunicorn(f"{app}()", "--log-level", "error")
    return uvicorn(app, "--factory", "--lifespan", "off", "--no-access-log", "--log-level", "error")
