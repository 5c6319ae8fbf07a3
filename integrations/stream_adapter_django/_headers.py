"""Headers of a Response on Django's: one field per name, and cookies apart."""

from __future__ import annotations

from collections.abc import Iterable

from django.http.response import HttpResponseBase

__all__ = ["headers_of", "set_headers"]


def headers_of(response: HttpResponseBase) -> list[tuple[str, str]]:
    """Return all fields of a response of Django's, its cookies among them."""
    cookies = [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    return [*((str(name), str(value)) for name, value in response.headers.items()), *cookies]


def set_headers(response: HttpResponseBase, pairs: Iterable[tuple[str, str]]) -> None:
    """Give a response these fields and no other; cookies are added to its own.

    Fields of one name are joined (RFC 9110, 5.3). Set-Cookie, which cannot be, goes to the cookies.

    Raises:
        ValueError: a cookie has an attribute that Python's http.cookies does not know.
    """
    fields: dict[str, tuple[str, str]] = {}
    present = {morsel.OutputString() for morsel in response.cookies.values()}
    for name, value in pairs:
        key = name.lower()
        if key != "set-cookie":
            fields[key] = (name, f"{fields[key][1]}, {value}" if key in fields else value)
        elif value not in present:
            _add_cookie(response, value)
    for name in [name for name in response.headers if name.lower() not in fields]:
        del response.headers[name]
    for name, value in fields.values():
        response.headers[name] = value


def _add_cookie(response: HttpResponseBase, value: str) -> None:
    name = value.partition("=")[0].strip()
    response.cookies.pop(name, None)
    response.cookies.load(value)
    if name not in response.cookies:
        raise ValueError(
            f"Set-Cookie: Django cannot carry an attribute of the cookie {name!r}; use response.set_cookie"
        )
