from __future__ import annotations

import secrets

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from stream_adapter_django import stream_response
from tests.broker.apps import control, events


def get_events(_: HttpRequest, form: str) -> HttpResponseBase:
    return stream_response(events(form))


def get_control(_: HttpRequest, action: str) -> HttpResponse:
    return HttpResponse(control(action))


urlpatterns = [path("events/<form>", get_events), path("control/<action>", get_control)]

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY=secrets.token_hex(), LOGGING_CONFIG=None)
django.setup()

wsgi, asgi = WSGIHandler(), ASGIHandler()
