"""Replies of Redis, read to the end and in order, and the errors that they, or their absence, are for a caller."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import RedisError, ResponseError

from stream_adapter.errors import BrokerUnavailableError, FencedError, PublishTimeoutError

__all__ = ["LOST", "checked", "lost", "outcome_of", "read_reply", "read_reply_async", "run_id_of", "unavailable"]

LOST = (RedisError, OSError, ValueError)
"""What a lost connection raises; the last from redis-py, when another thread closes its connection."""


def unavailable(error: BaseException) -> BrokerUnavailableError:
    """Return the error of a server that was not reached; what it says has no password in it."""
    return BrokerUnavailableError(f"the broker's engine cannot be reached: {type(error).__name__}: {error}")


def lost(error: BaseException, seconds: float) -> PublishTimeoutError:
    """Return the error of a command whose reply did not come: what it asks for may be done."""
    if isinstance(error, (TimeoutError, redis.TimeoutError)):
        return PublishTimeoutError(f"the broker's engine did not answer within {seconds:g} s")
    return PublishTimeoutError("the connection to the broker's engine was lost before it had answered")


def run_id_of(info: Any) -> str:
    """Return the server's `run_id` of its reply to INFO."""
    text = info.decode() if isinstance(info, bytes) else str(info)
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "run_id":
            return value
    raise redis.ConnectionError("INFO server: expected a run_id, got none")


def read_reply(read: Callable[[], Any]) -> Any:
    """Return a reply, also one that is an error: those after it are to be read as well."""
    try:
        return read()
    except ResponseError as error:
        return error


async def read_reply_async(connection: Any) -> Any:
    """Return a reply, on an event loop. The caller has one deadline for all: one for each would cost more."""
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def outcome_of(reply: Any) -> Any:
    """Return a reply, or the error that it is for its caller."""
    if not isinstance(reply, ResponseError):
        return reply
    if str(reply) == "FENCED":
        return FencedError("this run has ended, or another one has taken its place")
    return unavailable(reply)


def checked(reply: Any) -> Any:
    """Return a reply, or raise the error that it is."""
    outcome = outcome_of(reply)
    if isinstance(outcome, Exception):
        raise outcome from reply
    return outcome
