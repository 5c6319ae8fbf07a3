"""Headers of a Response on Django's: one field a name, and cookies apart."""

from __future__ import annotations

from collections.abc import Iterable

from django.http.response import HttpResponseBase

__all__ = ["apply_headers"]


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


def _add_cookie(response: HttpResponseBase, value: str) -> None:
    name = value.partition("=")[0].strip()
    response.cookies.pop(name, None)
    response.cookies.load(value)
    if name not in response.cookies:
        raise ValueError(f"Set-Cookie: Django cannot carry {value!r}; use response.set_cookie")
