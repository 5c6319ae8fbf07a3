"""An application that has published and listened in the master, before its workers were forked."""

from __future__ import annotations

from tests.broker.apps import live
from tests.broker.apps.plain_wsgi import app

__all__ = ["app"]

_listening = iter(live.subscribe("ticks", since=live.last_event_id("ticks")))
live.publish("ticks", "from the master")
next(_listening)
