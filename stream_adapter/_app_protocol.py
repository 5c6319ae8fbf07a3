"""Which protocol an application has, WSGI or ASGI, as far as it shows: by what it returns, or by its parameters."""

from __future__ import annotations

import inspect
from typing import Any, Literal, TypeAlias

__all__ = ["Protocol", "check_protocol", "protocol_of"]

Protocol: TypeAlias = Literal["WSGI", "ASGI"]

_SIGNATURES: dict[Protocol, str] = {
    "WSGI": "a WSGI application, called with (environ, start_response)",
    "ASGI": "an ASGI application, called with (scope, receive, send)",
}


def protocol_of(app: Any) -> Protocol | None:
    """Return the protocol of an application; None if it shows neither."""
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004  # the method itself is looked at
        return "ASGI" if _takes(app, 3) else None
    count = _count_required(app)
    return "WSGI" if count == 2 else "ASGI" if count == 3 else None


def check_protocol(app: Any, expected: Protocol, remedy: str) -> None:
    """Refuse what cannot be called as an application of a protocol, where it is given and not at the first request.

    Args:
        app: the application.
        expected: its protocol.
        remedy: what to write where it has the other protocol.

    Raises:
        TypeError: it has the other protocol, or none.
    """
    found = protocol_of(app)
    if found == expected or (found is None and callable(app) and _takes(app, 2 if expected == "WSGI" else 3)):
        return
    got = f"{app!r}" if found is None else f"the {found} application {app!r}; {remedy}"
    if _count_required(app) == 1:
        got += ", which takes one argument; in Django's MIDDLEWARE write stream_adapter_django.StreamAdapter"
    raise TypeError(f"app: expected {_SIGNATURES[expected]}, got {got}")


def _takes(app: Any, count: int) -> bool:
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):  # it does not show
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _count_required(app: Any) -> int | None:
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(each.kind in positional and each.default is each.empty for each in parameters)
