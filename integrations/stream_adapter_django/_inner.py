"""Frameworks inside Django, which call views themselves: Django REST framework, with adrf, and django-ninja.

None of them is imported here. A view is recognized by the attributes that its framework gave it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.db.models import QuerySet
from django.db.models.manager import BaseManager
from django.views import View

__all__ = ["awaits_methods", "explained", "serialized"]

_CHUNK = 2000  # rows that a query set fetches at a time: Django's own default


def awaits_methods(owner: type) -> bool:
    """Return True if the methods of a class-based view are awaited: those of Django and adrf, not REST framework's."""
    modules = {cls.__module__.partition(".")[0] for cls in owner.__mro__}
    return issubclass(owner, View) and ("rest_framework" not in modules or "adrf" in modules)


def serialized(result: Any) -> Any:
    """Return what to stream of a serializer of REST framework; anything else is returned as it is.

    With `many=True` each object is represented as it comes, and a query set is not collected.
    """
    serializers = sys.modules.get("rest_framework.serializers")
    if serializers is None:
        return result
    if isinstance(result, serializers.ReturnList):
        return list(result)  # its items: any other class of lists is one value
    if not isinstance(result, serializers.BaseSerializer):
        return result  # pyright: ignore[reportUnknownVariableType]  # it is what it was
    if result.__class__.to_representation is not serializers.ListSerializer.to_representation:
        return result.data
    return _representations(result)


def _representations(serializer: Any) -> Iterator[Any]:
    objects: Any = serializer.instance
    if isinstance(objects, BaseManager):
        objects = cast("Any", objects).all()
    if isinstance(objects, QuerySet):
        objects = cast("Any", objects).iterator(_CHUNK)
    return map(serializer.child.to_representation, objects)


def explained(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return a view whose error says what to write, if its framework was given a generator.

    A view of Django's is returned as it is.
    """
    is_ninja = str(getattr(view, "__module__", "")).partition(".")[0] == "ninja"
    if not is_ninja and not hasattr(getattr(view, "cls", None), "finalize_response"):
        return view
    framework = "django-ninja" if is_ninja else "Django REST framework"

    def explain(error: Exception) -> None:
        if "generator" in str(error):
            error.add_note(
                f"{framework} renders what its views return before stream_adapter_django.StreamAdapter sees it;"
                " write @streaming directly above the function or method"
            )

    @functools.wraps(view)
    def sync_view(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except Exception as error:
            explain(error)
            raise

    @functools.wraps(view)
    async def async_view(*args: Any, **kwargs: Any) -> Any:
        try:
            return await view(*args, **kwargs)
        except Exception as error:
            explain(error)
            raise

    return async_view if iscoroutinefunction(view) else sync_view  # pyright: ignore[reportDeprecated]  # sees the mark
