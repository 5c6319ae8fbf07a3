"""The engine that a URL names. Its module and client library are imported when it is first requested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from ._protocol import Engine
from ._urls import shown_url

__all__ = ["engine_of"]


class _Place(NamedTuple):
    module: str
    extra: str | None = None
    clients: tuple[str, ...] = ()  # the modules that the extra installs


_REDIS = _Place("redis", "redis", ("redis",))
_POSTGRES = _Place("postgres", "postgres", ("psycopg",))
_SCHEMES: Mapping[str, _Place] = MappingProxyType(
    {
        "memory": _Place("memory"),
        "redis": _REDIS,
        "rediss": _REDIS,
        "valkey": _REDIS,
        "valkeys": _REDIS,
        "unix": _REDIS,
        "sqlite": _Place("sqlite"),
        "postgresql": _POSTGRES,
        "postgres": _POSTGRES,
    }
)


def engine_of(url: str) -> Engine:
    """Make the engine that a URL names, by `engine_from_url(url)` of its module. It does no I/O.

    Raises:
        ValueError: the URL names no engine, or its engine cannot use it.
        ImportError: the engine's client library is not installed; the message says which extra installs it.
    """
    scheme = _scheme_of(url)
    place = _SCHEMES.get(scheme)
    if place is None:
        raise ValueError(f"url: expected one of {', '.join(f'{name}://' for name in _SCHEMES)}, got {shown_url(url)}")
    for client in place.clients:
        try:
            import_module(client)
        except ImportError as error:
            raise ImportError(
                f"url: {scheme}:// needs the package {client}; pip install 'stream-adapter[{place.extra}]'"
            ) from error
    try:
        module = import_module(f"{__package__}.{place.module}")
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.{place.module}":
            raise
        raise ValueError(f"url: {scheme}:// is not supported by this version of stream-adapter") from None
    make: Callable[[str], Engine] = module.engine_from_url
    return make(url)


def _scheme_of(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""
