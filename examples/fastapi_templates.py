"""Jinja templates from FastAPI, over an async generator: `generate_async` is a source like any other.

pip install '.[fastapi]' jinja2 uvicorn
uvicorn examples.fastapi_templates:app
curl -N localhost:8000/
"""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from jinja2 import DictLoader, Environment
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream

app = FastAPI()
templates = Environment(
    autoescape=True,
    enable_async=True,
    loader=DictLoader(
        {
            "page.html": "<h1>{{ title }}</h1>\n<ul>\n{% for row in rows %}<li>{{ row }}</li>\n{% endfor %}</ul>\n",
        }
    ),
)


async def rows() -> AsyncIterator[str]:
    """Yield rows as a slow query does."""
    for row in ("Hold", "nothing", "<back>"):
        yield row
        await asyncio.sleep(0.1)


@app.get("/")
async def page(stream: Stream) -> Response:
    """Send the head of the page before the first row is read."""
    return stream(sa.html(templates.get_template("page.html").generate_async(title="Rows", rows=rows())))
