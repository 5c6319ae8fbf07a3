"""Django in one file: the same generators as in the other examples, under WSGI and under ASGI.

pip install '.[django]' gunicorn uvicorn
gunicorn --threads 8 examples.django_app:wsgi
uvicorn --lifespan off examples.django_app:asgi
curl -N localhost:8000/tokens
"""

import asyncio
import time

import django
from django.conf import settings
from django.core.exceptions import PermissionDenied

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "stream_adapter_django.StreamAdapter",  # a view may return a generator, without a decorator
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="an example's",
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402  # Django must be configured first
from django.core.wsgi import get_wsgi_application  # noqa: E402

import stream_adapter as sa  # noqa: E402
from stream_adapter_django import last_event_id, path, stream_response, streaming  # noqa: E402


@streaming
async def tokens(request):
    """An async generator, under ASGI and WSGI."""
    for word in ("Hold", "nothing", "back", "that", "is", "ready", "."):
        yield f"{word} "
        await asyncio.sleep(0.1)


def rows(request):
    """JSON values, one per line."""
    return ({"row": number, "to": request.META["REMOTE_ADDR"]} for number in range(5))


def events(request):
    """Events, resumed after the last one that the client has."""

    def ticks():
        first = int(last_event_id(request) or -1) + 1
        for number in range(first, first + 5):
            yield sa.ServerSentEvent({"tick": number}, id=str(number))
            time.sleep(0.1)

    return sa.sse(ticks())


def report(request):
    """A response of the framework, made inside the view."""
    lines = (f"{number},{number * number}\n" for number in range(1000))
    return stream_response(lines, media_type="text/csv", headers={"Content-Disposition": "attachment"})


@streaming
def secret(request):
    """An error before the first item is an ordinary 403."""
    raise PermissionDenied
    yield "never sent"


urlpatterns = [
    path("tokens", tokens),
    path("rows", rows, streaming=True),
    path("events", events),
    path("report.csv", report),
    path("secret", secret),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
