"""Headers of a Response on Django's: one field a name, and cookies apart."""

from __future__ import annotations

from collections.abc import Iterable

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

__all__ = ["add_vary", "apply_headers"]


def apply_headers(response: HttpResponseBase, pairs: Iterable[tuple[str, str]]) -> None:
    """Set headers. Fields of one name are joined (RFC 9110, 5.3); Set-Cookie, which cannot be, goes to the cookies.

    Raises:
        ValueError: a cookie has an attribute that Python's http.cookies does not know.
    """
    fields: dict[str, tuple[str, str]] = {}
    for name, value in pairs:
        key = name.lower()
        if key == "set-cookie":
            _add_cookie(response, value)
        else:
            fields[key] = (name, f"{fields[key][1]}, {value}" if key in fields else value)
    for name, value in fields.values():
        response.headers[name] = value


def add_vary(response: HttpResponseBase, value: str) -> None:
    """Add to Vary, a list to which the view, the stream and each middleware add what they looked at."""
    patch_vary_headers(response, [field.strip() for field in value.split(",")])


def _add_cookie(response: HttpResponseBase, value: str) -> None:
    name = value.partition("=")[0].strip()
    response.cookies.pop(name, None)
    response.cookies.load(value)
    if name not in response.cookies:
        raise ValueError(f"Set-Cookie: Django cannot carry {value!r}; use response.set_cookie")
