"""Settings of the tests, here and in the servers they start, which have the rest from environment variables."""

from __future__ import annotations

import os

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "tests.django.site.urls"
INSTALLED_APPS = ["tests.django.site"]
MIDDLEWARE = [name for name in os.environ.get("SITE_MIDDLEWARE", "").split(",") if name]
DATABASES = {
    "default": {
        "ENGINE": "tests.django.site.database",
        "NAME": os.environ.get("SITE_DATABASE", ":memory:"),
        "ATOMIC_REQUESTS": os.environ.get("SITE_ATOMIC_REQUESTS") == "yes",
        "OPTIONS": {"timeout": 20},
    }
}
LOGGING_CONFIG = None
REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
