"""An A2A agent on several replicas: a client that comes back to another replica goes on reading its task.

pip install . uvicorn 'a2a-sdk[http-server]>=1.3'
BROKER=redis://localhost:6379/0 uvicorn examples.a2a_event_stream:app
"""

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.cluster import TaskEventStream, TaskVersion, VersionedEvent
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, StreamResponse
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.json_format import MessageToDict, ParseDict
from starlette.applications import Starlette

import stream_adapter as sa

HISTORY = sa.History(count=1000, age=3600.0)  # of one task: far more than happens between reading it and subscribing


class BrokerTaskEventStream(TaskEventStream):
    """The events of each task on a channel of a broker: what the SDK has in the place of a queue manager.

    Use it with a `VersionedTaskStore` that all replicas share: by the versions a subscriber begins right after the
    task that it has read. With a store that has none it is sent again what the task already holds.
    """

    def __init__(self, broker: sa.Broker) -> None:
        self._broker = broker

    async def publish(self, task_id: str, event: VersionedEvent) -> None:
        """Publish one event with the version of the task that it made."""
        version = event.version._value  # noqa: SLF001  # it has no other name; the SDK's own stream reads it, too
        data = {"version": version, "event": MessageToDict(to_stream_response(event.event))}
        await self._broker.apublish(self._channel(task_id), data)

    async def subscribe(self, task_id: str, *, after: TaskVersion) -> AsyncGenerator[VersionedEvent, None]:
        """Yield the events that are newer than `after`: those of the history first."""
        channel = self._broker.subscribe(self._channel(task_id), since="earliest")
        async with aclosing(aiter(channel)) as events:
            async for event in events:
                if event.event == "stream-reset":
                    raise ConnectionResetError("events of the task were lost; subscribe again")
                version = TaskVersion(event.data["version"])
                if version.is_after(after):
                    payload = ParseDict(event.data["event"], StreamResponse())
                    yield VersionedEvent(getattr(payload, payload.WhichOneof("payload")), version)

    async def destroy(self, task_id: str) -> None:
        """Do nothing: the channel goes when its history has aged, and subscribers stop at the task's last event."""

    @staticmethod
    def _channel(task_id: str) -> str:
        return f"a2a:{task_id}"


class Echo(AgentExecutor):
    """An agent that gives back what it is sent, word by word."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer."""
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        for word in context.get_user_input().split():
            await updater.add_artifact([new_text_part(word)], name="answer")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Stop."""
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


card = AgentCard(
    name="echo",
    description="Gives back what it is sent.",
    version="1.0",
    capabilities=AgentCapabilities(streaming=True),
    supported_interfaces=[
        AgentInterface(url="http://localhost:8000/a2a", protocol_binding="JSONRPC", protocol_version="1.0")
    ],
    default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
)
live = sa.Broker(os.environ.get("BROKER", "memory://"), history=HISTORY)
handler = DefaultRequestHandlerV2(
    agent_executor=Echo(),
    task_store=InMemoryTaskStore(),  # replicas share a VersionedDatabaseTaskStore
    agent_card=card,
    event_stream=BrokerTaskEventStream(live),
)
app = Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/a2a")])
