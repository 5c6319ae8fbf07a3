"""A live order page in Django, under WSGI or ASGI, served by two workers: what one publishes, both receive.

pip install '.[django]' gunicorn uvicorn
gunicorn --workers 2 --threads 100 examples.orders_django:wsgi
uvicorn --workers 2 --lifespan off examples.orders_django:asgi
open http://localhost:8000/orders/42 in two windows

BROKER and DATABASE name where events and orders are kept, by default in two SQLite files of the current folder.
For several machines: BROKER=redis://localhost:6379/0 with the extra `redis`.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("DATABASE", "orders.sqlite3"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="an example's",
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402  # Django must be configured first
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.http.response import HttpResponseBase  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from django.views.decorators.http import require_POST  # noqa: E402

import stream_adapter as sa  # noqa: E402
from stream_adapter_django import stream_response  # noqa: E402

PAGE = Path(__file__).with_name("orders.html").read_text(encoding="utf-8")
LAST = 3  # placed, paid, packed, sent

live = sa.Broker(os.environ.get("BROKER", "sqlite:///orders-broker.sqlite3"), prefix="shop")


class Order(models.Model):
    """What a page shows. A project has migrations; here the table is made below."""

    step = models.IntegerField(default=0)

    class Meta:
        """The example belongs to no installed application."""

        app_label = "examples"

    def state(self) -> dict[str, int]:
        """Return what events and snapshots carry."""
        return {"step": self.step, "process": os.getpid()}


with closing(sqlite3.connect(settings.DATABASES["default"]["NAME"])) as database:
    database.execute("CREATE TABLE IF NOT EXISTS examples_order (id INTEGER PRIMARY KEY, step INTEGER NOT NULL)")


def page(_: HttpRequest, number: int) -> HttpResponse:
    """Return the page."""
    return HttpResponse(PAGE)


def events(_: HttpRequest, number: int) -> HttpResponseBase:
    """Send the state first, then what follows it; after a reconnect, what was missed, or the state again."""

    def load() -> dict[str, int]:
        return (Order.objects.filter(id=number).first() or Order(id=number)).state()

    return stream_response(sa.sse(live.subscribe(f"orders:{number}", snapshot=load)))


@csrf_exempt  # the page is one file without a token; a project's page has one
@require_POST
@transaction.atomic
def advance(_: HttpRequest, number: int) -> JsonResponse:
    """Change the order, and publish the change when the transaction is committed, or never."""
    order = Order.objects.get_or_create(id=number)[0]
    order.step = min(order.step + 1, LAST)
    order.save()
    live.publish(f"orders:{number}", order.state(), event="order", on_commit=True)
    return JsonResponse(order.state())


urlpatterns = [
    path("orders/<int:number>", page),
    path("orders/<int:number>/events", events),
    path("orders/<int:number>/advance", advance),
]

wsgi, asgi = get_wsgi_application(), get_asgi_application()
