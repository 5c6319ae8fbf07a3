"""Actors of Dramatiq."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from tests.runs.apps.queues import LIMIT, async_answer, write

dramatiq.set_broker(RedisBroker(url=os.environ["QUEUE"]))  # type: ignore[no-untyped-call]  # it has no types


@dramatiq.actor(max_retries=0)
def produce(key: str, prompt: str) -> None:
    write(key, prompt)


@dramatiq.actor(max_retries=0)
def produce_async(key: str, prompt: str) -> None:
    write(key, prompt, async_answer)


@dramatiq.actor(max_retries=0, time_limit=LIMIT * 1000)
def produce_in_time(key: str, prompt: str) -> None:
    write(key, prompt)


def send(name: str, key: str, prompt: str) -> None:
    """Put a task into the queue."""
    {"produce": produce, "produce_async": produce_async, "produce_in_time": produce_in_time}[name].send(key, prompt)
