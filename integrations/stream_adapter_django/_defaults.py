"""The app-wide options: the setting STREAM_ADAPTER, for all that Django streams."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from stream_adapter.integration import ResponseOptions, as_response

__all__ = ["app_defaults", "check_defaults"]


def app_defaults() -> ResponseOptions:
    """Return the options that a response has where it was not given them."""
    defaults: ResponseOptions | None = getattr(settings, "STREAM_ADAPTER", None)
    return {} if defaults is None else defaults


def check_defaults() -> None:
    """Refuse a bad option when the application starts.

    Raises:
        ImproperlyConfigured: STREAM_ADAPTER is no dict of options.
    """
    options: Any = app_defaults()
    try:
        as_response(None, **options)
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"STREAM_ADAPTER: {error}") from error
