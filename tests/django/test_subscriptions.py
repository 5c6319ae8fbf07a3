"""A broker's subscriptions in Django: the connections of what loads their state."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.http import HttpRequest
from django.test import AsyncClient, Client, override_settings
from django.urls import path

import stream_adapter as sa
from stream_adapter_django import stream_response
from tests.django.support import urlconf


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the threads in which connections are closed."""
    threads: list[int] = []

    def noting_close(self: DatabaseWrapper) -> None:
        threads.append(threading.get_ident())
        BaseDatabaseWrapper.close(self)  # SQLite's own leaves a database in memory open, which is collected some time

    monkeypatch.setattr(DatabaseWrapper, "close", noting_close)
    return threads


def snapshot_view(live: sa.Broker, used: list[int]) -> Callable[[HttpRequest], Any]:
    def load() -> str:
        used.append(threading.get_ident())
        connection.ensure_connection()
        return "state"

    def view(request: HttpRequest) -> Any:
        return stream_response(sa.sse(live.subscribe("a", snapshot=load)))

    return view


def test_connection_that_a_snapshot_has_opened_is_closed_after_it(closed: list[int]) -> None:
    used: list[int] = []
    with sa.Broker() as live, override_settings(ROOT_URLCONF=urlconf([path("live", snapshot_view(live, used))])):
        response: Any = Client().get("/live")
        received = b""
        while b"state" not in received:
            received += next(iter(response.streaming_content))
        assert closed == used  # in its own thread, before the stream ends
        assert used[0] != threading.get_ident()
        response.close()


def test_connection_of_a_snapshot_under_asgi_is_closed_while_the_stream_goes_on(closed: list[int]) -> None:
    used: list[int] = []

    async def async_view(request: HttpRequest) -> Any:
        return view(request)

    async def use() -> None:
        response: Any = await AsyncClient().get("/live")
        blocks, received = aiter(response.streaming_content), b""
        while b"state" not in received:
            received += await anext(blocks)
        assert used[0] in closed
        response.close()

    with sa.Broker() as live:
        view = snapshot_view(live, used)
        with override_settings(ROOT_URLCONF=urlconf([path("live", async_view)])):
            asyncio.run(use())
