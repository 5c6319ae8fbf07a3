"""In Django, whose handler404 answers what is not found."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

from tests.files.apps.plain import respond

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware", "stream_adapter_django.StreamAdapter"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="a test's",
)


def handler404(_request: HttpRequest, exception: Exception) -> HttpResponse:
    del exception
    return HttpResponse("the framework's own", status=404)


def send(_request: HttpRequest, name: str) -> Any:  # what the middleware streams is to Django no response
    return respond(name)


urlpatterns = [re_path("^(?P<name>.*)$", send)]
wsgi, asgi = get_wsgi_application(), get_asgi_application()
