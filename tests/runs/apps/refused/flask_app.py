from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from stream_adapter import BrokerUnavailableError
from stream_adapter_flask import StreamAdapter, streaming
from tests.runs.apps.refused import ASYNC_WAYS, WAYS

bare, adapted, handled = Flask("bare"), Flask("adapted"), Flask("handled")
for each in (adapted, handled):
    StreamAdapter(each)


@adapted.get("/plain/<way>")
@bare.get("/plain/<way>")
@handled.get("/plain/<way>")
def plain(way: str) -> Any:
    return WAYS[way]()


@adapted.get("/decorated/<way>")
@bare.get("/decorated/<way>")
@streaming
def decorated(way: str) -> Any:
    return WAYS[way]()


@bare.get("/decorated_async/<way>")
@streaming
async def decorated_async(way: str) -> Any:
    return await ASYNC_WAYS[way]()


@adapted.errorhandler(503)
def page(error: Any) -> Any:
    error.description = "the page of the app"
    return error


@handled.errorhandler(BrokerUnavailableError)
def answer(_: BrokerUnavailableError) -> Any:
    return "of its class", 502


app = DispatcherMiddleware(bare, {"/adapted": adapted, "/handled": handled})
