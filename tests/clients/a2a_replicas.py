"""Two replicas of an A2A agent, /one and /two: each with a broker of its own on one store, as two processes have it.

The agent says a word for each file `word` that appears in FOLDER, and ends at `stop`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.cluster import LegacyTaskStoreAdapter, StoredTask, TaskVersion
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from starlette.applications import Starlette

import stream_adapter as sa
from examples.a2a_event_stream import HISTORY, BrokerTaskEventStream, card

_FOLDER = Path(os.environ["FOLDER"])


class _Versions(LegacyTaskStoreAdapter):
    """A store in memory that counts the versions of its tasks."""

    def __init__(self) -> None:
        super().__init__(InMemoryTaskStore())
        self._versions: dict[str, int] = {}

    async def save(self, task: Any, **arguments: Any) -> TaskVersion:
        await super().save(task, **arguments)
        self._versions[task.id] = self._versions.get(task.id, 0) + 1
        return TaskVersion(self._versions[task.id])

    async def get(self, task_id: str, context: Any) -> StoredTask | None:
        stored = await super().get(task_id, context)
        return None if stored is None else StoredTask(stored.task, TaskVersion(self._versions[task_id]))


class _Patient(AgentExecutor):
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.message is not None
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        for word in context.get_user_input().split():
            while not (_FOLDER / word).exists():  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(0.01)
            await updater.add_artifact([new_text_part(word)], name=word)
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


def _replica(path: str) -> list[Any]:
    live = sa.Broker(f"sqlite:///{_FOLDER}/broker.db", history=HISTORY)
    handler = DefaultRequestHandlerV2(
        agent_executor=_Patient(), task_store=_STORE, agent_card=card, event_stream=BrokerTaskEventStream(live)
    )
    return create_jsonrpc_routes(handler, path)


_STORE = _Versions()
app = Starlette(routes=[*_replica("/one"), *_replica("/two")])
