from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from . import live
from .models import Order


class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for type checkers only
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)  # pyright: ignore[reportUnknownMemberType]
        live.publish("ticks", {"state": obj.state}, on_commit=True)


admin.site.register(Order, OrderAdmin)
