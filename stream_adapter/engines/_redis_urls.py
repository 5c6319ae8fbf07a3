"""URLs of Redis, and the options with which each connection is made.

redis-py's defaults do not suit a broker: ten silent retries, which append twice where a reply was lost, and one
timeout for everything.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.exceptions import RedisError

from ._redis_script import SCRIPT
from ._urls import shown_url

__all__ = ["GREETING", "checked_url", "options_of"]

GREETING = [("INFO", "server"), ("SCRIPT", "LOAD", SCRIPT)]
"""Sent once on each connection, after the login: which server is it, and does it have the script?"""

_READ_BY = {"protocol", "decode_responses", "encoding", "encoding_errors", "redis_connect_func"}
_TIMES = {"timeout", "socket_timeout", "socket_connect_timeout", "health_check_interval"}
_TRIES = {"retry", "retry_on_timeout", "retry_on_error", "max_connections"}
_FIXED = _READ_BY | _TIMES | _TRIES  # options that the engine gives itself
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


def checked_url(url: str) -> str:
    """Return a URL as redis-py takes it, without the options that the engine gives itself.

    Raises:
        ValueError: it cannot be used.
    """
    scheme, _, rest = url.partition("://")
    known = f"{_SCHEMES.get(scheme, scheme)}://{_without_fixed(rest)}"
    try:
        _check_parts(known)
        pools: Any = redis.ConnectionPool  # its types are half unknown
        pool = pools.from_url(known, **options_of(known, 1.0))
        pool.connection_class(**pool.connection_kwargs)  # the options in the query are those of its constructor
    except (ValueError, TypeError, RedisError) as error:
        place = "/path" if scheme == "unix" else "[user:password@]host[:port][/database]"
        raise ValueError(f"url: expected {scheme}://{place}[?option=…], got {shown_url(url)} ({error})") from None
    return known


def options_of(url: str, timeout: float) -> dict[str, Any]:
    """Return the options of a connection, whose commands take so many seconds at most."""
    options = {
        "protocol": 2,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "health_check_interval": 0,
    }
    return options if url.startswith("unix:") else {**options, "socket_keepalive": True}


def _without_fixed(url: str) -> str:
    """Return a URL without the options that the engine gives itself, for redis-py prefers those of the URL."""
    place, _, query = url.partition("?")
    kept = [option for option in query.split("&") if option and unquote(option.partition("=")[0]) not in _FIXED]
    return f"{place}?{'&'.join(kept)}" if kept else place


def _check_parts(url: str) -> None:
    """Raise ValueError for a URL that redis-py would take for another one; the error quotes no part of it."""
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("a port that is a number; in a password write / as %2F, ? as %3F and # as %23") from None
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdecimal():
        raise ValueError("a database that is a number")
    if parts.scheme == "unix" and not database:
        raise ValueError("the path of a socket")
