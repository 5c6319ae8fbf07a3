"""The samples in Flask."""

from __future__ import annotations

from flask import Flask

from stream_adapter_flask import StreamAdapter
from tests.model_page.apps import samples

app = Flask(__name__)
StreamAdapter(app)
samples.mount(app)


@app.get("/ended/<reason>")
def ended(reason: str) -> str:
    return samples.wait_for_ending(reason)
