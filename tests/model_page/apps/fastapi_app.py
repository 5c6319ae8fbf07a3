"""The samples in FastAPI."""

from __future__ import annotations

from fastapi import FastAPI

from stream_adapter_fastapi import StreamAdapter
from tests.model_page.apps import samples

app = FastAPI()
StreamAdapter(app)
samples.mount(app)


@app.get("/ended/{reason}")
def ended(reason: str) -> str:
    return samples.wait_for_ending(reason)
