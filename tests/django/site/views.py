"""What the servers of the tests serve: each stream in two ways, by a sync and by an async source."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.django.site.database.base import LEDGER
from tests.django.site.models import Row
from tests.support.gate import Gate

gates: defaultdict[str, Gate] = defaultdict(Gate)
endings: defaultdict[str, Gate] = defaultdict(Gate)
reasons: dict[str, str] = {}


def reported(token: str) -> Callable[[sa.StreamSummary], None]:
    def on_close(summary: sa.StreamSummary) -> None:
        reasons[token] = summary.reason
        endings[token].open()

    return on_close


def rows(token: str) -> Iterator[str]:
    for row in Row.objects.order_by("id").iterator(chunk_size=10):
        yield f"{row.text}\n"


async def async_rows(token: str) -> AsyncIterator[str]:
    async for row in Row.objects.order_by("id").aiterator(chunk_size=10):
        yield f"{row.text}\n"


def paced(token: str) -> Iterator[str]:
    """Each row waits until the client has the one before."""
    for row in Row.objects.order_by("id")[:4].iterator(chunk_size=1):
        yield f"{row.text}\n"
        gates[token].wait()


async def async_paced(token: str) -> AsyncIterator[str]:
    async for row in Row.objects.order_by("id")[:4].aiterator(chunk_size=1):
        yield f"{row.text}\n"
        await gates[token].wait_async()


def endless(token: str) -> Iterator[bytes]:
    Row.objects.count()
    while True:
        yield bytes(65536)


async def async_endless(token: str) -> AsyncIterator[bytes]:
    await Row.objects.acount()
    while True:
        yield bytes(65536)


async def async_silent(token: str) -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.get_running_loop().create_future()


def broken(token: str) -> Iterator[str]:
    yield Row.objects.all()[0].text
    gates[token].wait()
    raise ValueError("secret")


async def async_broken(token: str) -> AsyncIterator[str]:
    yield (await Row.objects.afirst()).text  # type: ignore[union-attr]  # there are rows
    await gates[token].wait_async()
    raise ValueError("secret")


def forbidden(token: str) -> Iterator[str]:
    Row.objects.count()
    raise PermissionDenied
    yield ""


async def async_forbidden(token: str) -> AsyncIterator[str]:
    await Row.objects.acount()
    raise PermissionDenied
    yield ""


SOURCES: dict[str, Callable[[str], Any]] = {
    "sync-rows": rows,
    "async-rows": async_rows,
    "sync-events": lambda token: sa.sse(rows(token), retry=None),  # has a thread of its own under WSGI
    "async-events": lambda token: sa.sse(async_rows(token), retry=None),
    "sync-paced": paced,
    "async-paced": async_paced,
    "sync-endless": endless,
    "async-endless": async_endless,
    "async-silent": async_silent,
    "sync-broken": broken,
    "async-broken": async_broken,
    "sync-forbidden": forbidden,
    "async-forbidden": async_forbidden,
}


def by_sync_view(request: HttpRequest, name: str, token: str) -> Any:
    return stream_response(SOURCES[name](token), on_close=reported(token))


@transaction.non_atomic_requests
async def by_async_view(request: HttpRequest, name: str, token: str) -> Any:
    await Row.objects.acount()
    return stream_response(SOURCES[name](token), on_close=reported(token))


def received(request: HttpRequest, token: str) -> HttpResponse:
    gates[token].open()
    return HttpResponse()


def ended(request: HttpRequest, token: str) -> HttpResponse:
    """Answer, once the stream is closed, why."""
    endings[token].wait()
    return HttpResponse(reasons[token])


@transaction.non_atomic_requests
def left_open(request: HttpRequest) -> JsonResponse:
    """Count connections: this view has none, and waits for those that are being closed."""
    connection.close()  # what middleware has opened for this very request
    waited = LEDGER.wait_for_none()
    files = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    database = os.path.realpath(str(settings.DATABASES["default"]["NAME"]))
    return JsonResponse({"waited": waited, "opened": LEDGER.opened, "files": files.count(database)})


def fails(request: HttpRequest) -> Any:
    """A view whose own work is to be rolled back."""
    Row.objects.create(text="of a view that fails")
    raise PermissionDenied


def source_fails(request: HttpRequest) -> Any:
    """A view whose work is done, and a source whose own work is to be rolled back."""

    def source() -> Iterator[str]:
        with transaction.atomic():
            Row.objects.create(text="of a source that fails")
            raise PermissionDenied
        yield ""

    Row.objects.create(text="of a view that does not")
    return source()


def transactions(request: HttpRequest) -> Any:
    """Say where there is a transaction: in the view, in its source, in a block of the source's."""
    of_view = connection.in_atomic_block

    def source() -> Iterator[str]:
        yield f"{of_view} {connection.in_atomic_block} "
        with transaction.atomic():
            yield f"{connection.in_atomic_block}"

    return source()


@transaction.non_atomic_requests
def no_transaction(request: HttpRequest) -> Any:
    yield f"{connection.in_atomic_block}"


@streaming
@transaction.non_atomic_requests
async def thread_of_async_view(request: HttpRequest) -> Any:
    """Return True if the ORM of an async view's source has one thread."""
    threads = {await sync_to_async(threading.get_ident)() for _ in range(3)}
    yield f"{len(threads)}"
