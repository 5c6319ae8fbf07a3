"""A live order page under ASGI, served by two workers: what one publishes, listeners of both receive.

pip install '.[fastapi]' uvicorn
uvicorn --workers 2 examples.orders_fastapi:app
open http://localhost:8000/orders/42 in two windows

BROKER and DATABASE name where events and orders are kept, by default in two SQLite files of the current folder.
For several machines: BROKER=redis://localhost:6379/0 with the extra `redis`.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

PAGE = Path(__file__).with_name("orders.html").read_text(encoding="utf-8")
LAST = 3  # placed, paid, packed, sent

app = FastAPI()
live = sa.Broker(os.environ.get("BROKER", "sqlite:///orders-broker.sqlite3"), prefix="shop")


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(os.environ.get("DATABASE", "orders.sqlite3"))
    connection.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, step INTEGER NOT NULL)")
    return connection


def load(number: int) -> dict[str, int]:
    """Return the state of an order, which events carry as well."""
    with closing(database()) as connection:
        row = connection.execute("SELECT step FROM orders WHERE number = ?", (number,)).fetchone()
    return {"step": row[0] if row else 0, "process": os.getpid()}


@app.get("/orders/{number}")
async def page(number: int) -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(PAGE)


@app.get("/orders/{number}/events")
async def events(number: int, stream: Stream) -> Response:
    """Send the state first, then what follows it; after a reconnect, what was missed, or the state again."""
    return stream(sa.sse(live.subscribe(f"orders:{number}", snapshot=lambda: load(number))))


@app.post("/orders/{number}/advance")
def advance(number: int) -> dict[str, str]:
    """Change the order, and publish the change once it is committed; in a thread of FastAPI's."""
    with closing(database()) as connection, connection:
        connection.execute(
            "INSERT INTO orders VALUES (?, 1) ON CONFLICT DO UPDATE SET step = min(step + 1, ?)", (number, LAST)
        )
    return {"id": live.publish(f"orders:{number}", load(number), event="order")}
