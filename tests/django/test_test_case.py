"""In a TestCase a stream sees the rows of the test, which no other connection sees: every source, format and client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import TestCase, override_settings
from django.urls import path
from django.utils import translation

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.django.site.models import Row
from tests.django.support import ADAPTER, urlconf


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.create_model(Row)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Row)


def rows() -> Iterator[str]:
    for row in Row.objects.order_by("id").iterator(chunk_size=1):
        yield row.text


async def async_rows() -> AsyncIterator[str]:
    async for row in Row.objects.order_by("id").aiterator(chunk_size=1):
        yield row.text


def views() -> Iterator[tuple[str, Callable[[HttpRequest], Any]]]:
    formats: dict[str, Callable[[Any], Any]] = {
        "text": sa.text,
        "events": sa.sse,
        "deadline": lambda items: sa.ndjson(items, limits=sa.Limits(idle_timeout=30)),
        "bulk": lambda items: sa.Response(items, flush="bulk"),
    }
    for source in (rows, async_rows):
        for name, form in formats.items():

            def view(request: HttpRequest, source: Any = source, form: Any = form) -> Any:
                return stream_response(form(source()))

            async def async_view(request: HttpRequest, source: Any = source, form: Any = form) -> Any:
                assert await Row.objects.acount() == 3
                return form(source())

            yield f"{source.__name__}-{name}", view
            yield f"{source.__name__}-{name}-async-view", streaming(async_view)


VIEWS = dict(views())


def snapshot_views(live: sa.Broker) -> list[Any]:
    def load() -> object:
        return {"rows": Row.objects.count(), "language": translation.get_language()}

    def view(request: HttpRequest) -> Any:
        translation.activate("de")
        return stream_response(sa.sse(live.subscribe("a", snapshot=load)))

    async def async_view(request: HttpRequest) -> Any:
        return view(request)

    return [path("snapshot", view), path("snapshot-async-view", async_view)]


@override_settings(ROOT_URLCONF=urlconf([path(name, view) for name, view in VIEWS.items()]), MIDDLEWARE=[ADAPTER])
class RowsOfTheTest(TestCase):
    def setUp(self) -> None:
        for number in range(3):
            Row.objects.create(text=f"row {number}")

    def test_client_reads_streams_of_a_test_case(self) -> None:
        for name in VIEWS:
            with self.subTest(name):
                response: Any = self.client.get(f"/{name}")
                body = response.getvalue()
                assert [body.count(f"row {number}".encode()) for number in range(3)] == [1, 1, 1]
                assert Row.objects.count() == 3
                assert connection.in_atomic_block
                assert not connection.allow_thread_sharing  # nothing has kept it

    async def test_django_async_test_client_reads_streams_in_a_test_case(self) -> None:
        for name in VIEWS:
            with self.subTest(name):
                response: Any = await self.async_client.get(f"/{name}")
                body = b"".join([block async for block in response])
                assert [body.count(f"row {number}".encode()) for number in range(3)] == [1, 1, 1]

    def test_snapshot_of_a_subscription_loads_rows_of_the_test_case(self) -> None:
        with sa.Broker() as live, override_settings(ROOT_URLCONF=urlconf(snapshot_views(live))):
            response: Any = self.client.get("/snapshot")
            received = b""
            while b"snapshot" not in received:
                received += next(iter(response.streaming_content))
            response.close()
            assert b'data: {"rows":3,"language":"de"}' in received
            assert connection.in_atomic_block

    async def test_snapshot_loads_rows_of_the_test_case_for_the_async_test_client(self) -> None:
        with sa.Broker() as live, override_settings(ROOT_URLCONF=urlconf(snapshot_views(live))):
            for name in ("snapshot", "snapshot-async-view"):
                response: Any = await self.async_client.get(f"/{name}")
                blocks, received = aiter(response.streaming_content), b""
                while b"snapshot" not in received:
                    received += await anext(blocks)
                response.close()
                assert b'data: {"rows":3,"language":"de"}' in received

    def test_database_writes_of_a_stream_are_rolled_back_with_the_test_case(self) -> None:
        def writes(request: HttpRequest) -> Any:
            with transaction.atomic():
                Row.objects.create(text="row 3")
            yield str(Row.objects.count())

        with override_settings(
            ROOT_URLCONF=urlconf([path("writes", streaming(media_type="text/event-stream")(writes))])
        ):
            response: Any = self.client.get("/writes")
            assert response.getvalue() == b"4"
