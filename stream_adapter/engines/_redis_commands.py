"""Calls of the script, as bytes in Redis's protocol, and the names of a channel's keys.

They are written here and not by redis-py, which takes longer for it than for all else that an append costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

from ._redis_script import SCRIPT_SHA

__all__ = ["Argument", "Command", "key_name", "notice_name"]

Argument: TypeAlias = bytes | str | int | float

_KNOWN = 1024  # channels whose names are kept


def _packed(arguments: Iterable[Argument]) -> bytes:
    parts: list[bytes] = []
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _name(channel: str, ending: bytes) -> bytes:
    """Return a key of a channel. All of its keys share one hash tag, so braces in its name are escaped."""
    escaped = channel.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return b"{" + escaped.encode() + b"}" + ending


@lru_cache(_KNOWN)
def _packed_names(channel: str) -> bytes:
    return _packed((_name(channel, b":h"), _name(channel, b":s"), notice_name(channel)))


def notice_name(channel: str) -> bytes:
    """Return the Pub/Sub channel on which a channel's events are announced."""
    return _name(channel, b":n")


def key_name(channel: str, key: str) -> bytes:
    """Return the key that remembers a publisher's key."""
    return _name(channel, b":k:" + blake2b(key.encode(), digest_size=16).hexdigest().encode())


class Command:
    """One call of the script.

    Args:
        method: of the script.
        channel: whose keys it gets.
        keys: further keys.
        epoch: a name for a new epoch.
        now: the time; "": the server's.
        arguments: of the method.

    Attributes:
        size: its bytes, but for a few.
    """

    __slots__ = ("_after", "_before", "size")

    def __init__(  # noqa: PLR0917  # in the order of the script's
        self, method: str, channel: str, keys: Sequence[bytes], epoch: str, now: str, arguments: Sequence[Argument]
    ) -> None:
        count = 3 + len(keys)
        start = b"*%d\r\n%b%b%b" % (7 + count + len(arguments), _START, _packed((count,)), _packed_names(channel))
        self._before = start + _packed((*keys, method))
        self._after = _packed((epoch, now, *arguments))
        self.size: int = len(self._before) + len(self._after)

    def to(self, server: str) -> bytes:
        """Return what is sent to the server with this `run_id`."""
        return self._before + _packed((server,)) + self._after


_START = _packed(("EVALSHA", SCRIPT_SHA))
