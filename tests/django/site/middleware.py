from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from tests.django.site.models import Row


def counts_rows(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Sync middleware that needs the database before the view and after it."""

    def middleware(request: HttpRequest) -> Any:
        before = Row.objects.count()
        response = get_response(request)
        response["X-Rows"] = f"{before} {Row.objects.count()}"
        return response

    return middleware
