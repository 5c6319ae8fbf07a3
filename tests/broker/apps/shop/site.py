from __future__ import annotations

import os
import secrets
from collections.abc import Callable

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from . import live

_HERE = __name__.rpartition(".")[0]

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    LOGGING_CONFIG=None,
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SHOP_DATABASE", ":memory:")}
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        _HERE,
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        f"{__name__}.logged_in",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib import admin  # noqa: E402  # needs the settings, as those below
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

from .models import Order  # noqa: E402


def logged_in(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: every request is the administrator's."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.user = User.objects.get(username="admin")
        return get_response(request)

    return middleware


def stored(way: str) -> int:
    return Order.objects.filter(state=way).count()


def publish(way: str) -> str | None:
    """Save an order, and publish how many there are of its kind."""
    Order(state=way).save()
    return live.publish("ticks", f"{way}: {stored(way)} stored", on_commit=True)


def order(_: HttpRequest, way: str) -> HttpResponse:
    if way == "without-transaction":
        published = publish(way)
    else:
        with transaction.atomic():
            if way == "savepoint":
                try:
                    with transaction.atomic():
                        publish("rolled back to the savepoint")
                        raise LookupError
                except LookupError:
                    pass
            published = publish(way)
            if way == "rolled-back":
                raise RuntimeError(way)
    return HttpResponse(f"{published}; {stored(way)} stored")


urlpatterns = [path("order/<way>", order), path("admin/", admin.site.urls)]

if "SHOP_DATABASE" in os.environ:
    call_command("migrate", run_syncdb=True, verbosity=0)
    User.objects.create_superuser("admin", password=secrets.token_hex())

wsgi = WSGIHandler()
