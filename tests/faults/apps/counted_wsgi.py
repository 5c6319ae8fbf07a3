"""Plain WSGI inside of Sentry's middleware: `/events` has those so far, and `/drain` ends the streams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware
from sentry_sdk.transport import Transport

import stream_adapter as sa
from stream_adapter.types import Environ, StartResponse
from tests.support.gate import BOUND

from .plain_wsgi import app as plain

_events: list[str] = []


class Kept(Transport):
    """Keep the type of each event's exception."""

    def capture_envelope(self, envelope: Any) -> None:
        events = [item.payload.json for item in envelope.items if item.type == "event"]
        _events.extend(event["exception"]["values"][-1]["type"] for event in events)


sentry_sdk.init(dsn="http://key@localhost/1", transport=Kept, auto_enabling_integrations=False)


def counted(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/drain":
        return sa.Response(f"drained: {sa.drain(BOUND)}").wsgi(environ, start_response)
    if environ["PATH_INFO"] == "/events":
        return sa.Response(" ".join(_events)).wsgi(environ, start_response)
    return plain(environ, start_response)


app = SentryWsgiMiddleware(counted)
