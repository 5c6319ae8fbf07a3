"""One failure is one report, behind middlewares too: to the caller of a TestClient, in the log, and in Sentry."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from stream_adapter_fastapi import streaming
from tests.support.versions import needs

CallNext = Callable[[Request], Awaitable[Response]]


async def pass_on(request: Request, call_next: CallNext) -> Response:
    return await call_next(request)


class Measuring:
    """A middleware that looks at each body."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def measure(message: Any) -> None:
            if message["type"] == "http.response.body":
                len(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, measure)


def application(*middlewares: str) -> FastAPI:
    app = FastAPI()
    for name in middlewares:
        match name:
            case "http":
                app.middleware("http")(pass_on)
            case "gzip":
                app.add_middleware(GZipMiddleware, minimum_size=0)
            case _:
                app.add_middleware(Measuring)

    @app.get("/rows")
    @streaming
    async def rows() -> AsyncIterator[str]:
        yield "one"
        raise ValueError("mine")

    return app


RAISED_AS_IT_IS = needs("starlette", "1.9", "older test clients raise another error behind BaseHTTPMiddleware")
STACKS = [(), ("http",), ("http", "http"), ("http", "gzip"), ("gzip", "http", "gzip"), ("http", "measuring", "http")]


@RAISED_AS_IT_IS
@pytest.mark.parametrize("middlewares", STACKS, ids=", ".join)
def test_source_error_reaches_the_caller_as_it_is_and_the_log_once(
    middlewares: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match=r"^mine$") as raised:
        TestClient(application(*middlewares)).get("/rows", headers={"Accept-Encoding": "gzip"})
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.name == "stream_adapter"
    assert record.exc_info is not None
    assert record.exc_info[1] is raised.value


_COUNT_EVENTS = """
import json, sys
import sentry_sdk
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration
from sentry_sdk.transport import Transport

events = []

class Kept(Transport):
    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items if item.type == "event")

# those of all installed packages would import them
integrations = [StarletteIntegration(), FastApiIntegration()]
sentry_sdk.init(
    dsn="http://key@localhost/1", transport=Kept, auto_enabling_integrations=False, integrations=integrations
)

from tests.fastapi.test_reports import application, TestClient

try:
    TestClient(application(*sys.argv[1:])).get("/rows")
except ValueError:
    pass
print(json.dumps([[error["type"] for error in event["exception"]["values"]] for event in events]))
"""


@RAISED_AS_IT_IS
@pytest.mark.parametrize("middlewares", [(), ("http", "http")], ids=", ".join)
def test_sentry_has_one_event_of_one_failure(middlewares: tuple[str, ...]) -> None:
    process = subprocess.run(
        [sys.executable, "-c", _COUNT_EVENTS, *middlewares], capture_output=True, text=True, check=True
    )
    assert json.loads(process.stdout) == [["ValueError"]]
