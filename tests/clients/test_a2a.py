"""examples/a2a_event_stream.py, as A2A's own client and server use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.gate import BOUND
from tests.support.packages import needed
from tests.support.servers import Server, uvicorn

pytestmark = needed("a2a", "sse_starlette")


@asynccontextmanager
async def client_of(url: str) -> AsyncGenerator[Any]:
    from a2a.client import ClientConfig, ClientFactory  # noqa: PLC0415  # where the package is
    from a2a.types import AgentCapabilities, AgentCard, AgentInterface  # noqa: PLC0415

    card = AgentCard(
        name="words",
        description="words",
        version="1.0",
        capabilities=AgentCapabilities(streaming=True),
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
    )
    async with (
        httpx.AsyncClient(timeout=BOUND) as http,  # its own waits 5 s
        ClientFactory(ClientConfig(streaming=True, httpx_client=http)).create(card) as client,
    ):
        yield client


def request(text: str) -> Any:
    from a2a.helpers import new_text_message  # noqa: PLC0415
    from a2a.types import Role, SendMessageRequest  # noqa: PLC0415

    return SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))


async def names_of(stream: AsyncIterator[Any]) -> list[str]:
    """Return the names of the artifacts that come, and the last state."""
    from a2a.types import TaskState  # noqa: PLC0415

    names: list[str] = []
    async for response in stream:
        if response.HasField("artifact_update"):
            names.append(response.artifact_update.artifact.name)
        elif response.HasField("status_update"):
            names.append(TaskState.Name(response.status_update.status.state))
    return names


def test_a2a_example_streams_an_answer() -> None:
    async def use(server: Server) -> list[str]:
        async with client_of(f"{server.url}/a2a") as client:
            return await names_of(client.send_message(request("a b")))

    with uvicorn("examples.a2a_event_stream:app") as server:
        names = asyncio.run(use(server))
    assert names == ["TASK_STATE_WORKING", "answer", "answer", "TASK_STATE_COMPLETED"]


def test_client_of_another_replica_has_the_task_and_each_event_after_it_once(tmp_path: Path) -> None:
    async def use(server: Server) -> None:
        async with client_of(f"{server.url}/one") as first, client_of(f"{server.url}/two") as second:
            (tmp_path / "a").touch()
            sent = first.send_message(request("a b c"))
            task_id = (await anext(sent)).task.id
            while not (await anext(sent)).HasField("artifact_update"):
                pass

            from a2a.types import SubscribeToTaskRequest  # noqa: PLC0415

            resumed = second.subscribe(SubscribeToTaskRequest(id=task_id))
            task = (await anext(resumed)).task
            assert [artifact.name for artifact in task.artifacts] == ["a"]
            (tmp_path / "b").touch()
            (tmp_path / "c").touch()
            assert await names_of(resumed) == ["b", "c", "TASK_STATE_COMPLETED"]
            assert await names_of(sent) == ["b", "c", "TASK_STATE_COMPLETED"]

    with uvicorn("tests.clients.a2a_replicas:app", FOLDER=str(tmp_path)) as server:
        asyncio.run(use(server))
