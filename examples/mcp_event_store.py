"""An MCP server whose streams are resumed: the event store of its streamable HTTP transport on a broker's channels.

pip install . uvicorn 'mcp>=2.3'
uvicorn examples.mcp_event_store:app
python -c "
import asyncio
from mcp import Client

async def main():
    async with Client('http://localhost:8000/mcp', mode='legacy') as client:
        print(await client.call_tool('count', {'to': 5}))

asyncio.run(main())
"
"""

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.routing import Mount

import stream_adapter as sa

live = sa.Broker(history=sa.History(count=1000, age=3600.0))  # of each stream; or "redis://…"


class BrokerEventStore(EventStore):
    """The messages of one session: a channel for each of its streams.

    Stream ids are unique in a session only (each has a "_GET_stream"), so sessions must not share a store: a client
    would be sent what is another's. On a Redis the server's memory stays small; the sessions themselves live in one
    process, which is the SDK's limit.
    """

    def __init__(self, broker: sa.Broker, session: str) -> None:
        self._broker = broker
        self._session = session

    async def store_event(self, stream_id: StreamId, message: types.JSONRPCMessage | None) -> EventId:
        """Publish a message; None marks the beginning of a stream, so that a client can resume from there."""
        data = None if message is None else message.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return self._id(stream_id, await self._broker.apublish(self._channel(stream_id), data))

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        """Send what followed an event of this session's, up to now; None if that event is not known, or trimmed."""
        cursor, _, stream_id = last_event_id.partition("/")
        channel = self._channel(stream_id)
        try:
            while cursor != (newest := await self._broker.alast_event_id(channel)):
                async with aclosing(aiter(self._broker.subscribe(channel, since=cursor))) as events:
                    async for event in events:
                        if event.event == "stream-reset":
                            return None
                        cursor = event.id
                        if event.data is not None:
                            message = types.jsonrpc_message_adapter.validate_python(event.data)
                            await send_callback(EventMessage(message, self._id(stream_id, cursor)))
                        if cursor == newest:
                            break
        except ValueError:  # no stream has such an id
            return None
        return stream_id

    def _channel(self, stream_id: StreamId) -> str:
        return f"mcp:{self._session}:{stream_id}"

    def _id(self, stream_id: StreamId, event_id: str) -> EventId:
        return f"{event_id}/{stream_id}"


class SessionManager(StreamableHTTPSessionManager):
    """Gives each session a store of its own: it asks for `event_store` once per session."""

    @property
    def event_store(self) -> EventStore:
        """A new store."""
        return BrokerEventStore(live, uuid4().hex)

    @event_store.setter
    def event_store(self, _: EventStore | None) -> None:
        pass


async def list_tools(*_: Any) -> types.ListToolsResult:
    """Tell what there is."""
    schema = {"type": "object", "properties": {"to": {"type": "integer"}}}
    return types.ListToolsResult(tools=[types.Tool(name="count", input_schema=schema)])


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Count, and close the connection half way: the client reconnects for the rest."""
    to = int((params.arguments or {})["to"])
    for number in range(1, to + 1):
        await context.session.report_progress(number, to)
        if number == to // 2 and context.close_sse_stream is not None:
            await context.close_sse_stream()
        await asyncio.sleep(0.01)
    return types.CallToolResult(content=[types.TextContent(type="text", text=f"counted to {to}")])


manager = SessionManager(
    Server("counter", on_list_tools=list_tools, on_call_tool=call_tool),
    retry_interval=50,  # milliseconds
)


@asynccontextmanager
async def lifespan(_: Starlette) -> Any:
    """Run the sessions, and close the broker after them."""
    async with manager.run():
        yield
    await live.aclose()


app = Starlette(routes=[Mount("/", app=manager.handle_request)], lifespan=lifespan)
