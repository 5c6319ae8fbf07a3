"""The app-wide options: the setting STREAM_ADAPTER, for all that Django streams."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from stream_adapter.integration import ResponseOptions, checked_options

__all__ = ["app_defaults", "check_defaults"]


_last: tuple[dict[str, Any], ResponseOptions] = (
    {},
    checked_options(),
)  # the setting as it was read, and what was made of it


def app_defaults() -> ResponseOptions:
    """Return the options that a response has where it was not given them. An iterator in the setting is read once."""
    global _last  # noqa: PLW0603  # settings are the process's
    given: dict[str, Any] = getattr(settings, "STREAM_ADAPTER", None) or {}
    before, checked = _last
    if given != before:
        checked = checked_options(**given)
        _last = dict(given), checked
    return checked


def check_defaults() -> None:
    """Refuse a bad option when the application starts.

    Raises:
        ImproperlyConfigured: STREAM_ADAPTER is not a dict of options.
    """
    try:
        app_defaults()
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"STREAM_ADAPTER: {error}") from error
