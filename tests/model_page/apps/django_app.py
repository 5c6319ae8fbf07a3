"""The samples in Django, under WSGI and under ASGI."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse

from stream_adapter_django import path
from tests.model_page.apps import samples

View = Callable[[], Coroutine[Any, Any, Any]]

urlpatterns: list[Any] = []


class Routes:
    """What the samples call `app`: Django's routes are a list, and its views take a request."""

    def get(self, route: str, *, streaming: bool = False) -> Callable[[View], View]:
        def register(function: View) -> View:
            async def view(_: HttpRequest) -> Any:
                return await function()

            urlpatterns.append(path(route.removeprefix("/"), view, streaming=streaming))
            return function

        return register


async def ended(_: HttpRequest, reason: str) -> HttpResponse:
    return HttpResponse(await asyncio.to_thread(samples.wait_for_ending, reason))


samples.mount(Routes())
urlpatterns.append(path("ended/<reason>", ended))

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["stream_adapter_django.StreamAdapter"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)
django.setup()
wsgi = WSGIHandler()
asgi = ASGIHandler()
