"""examples/ai_resume.py, with a page of the AI SDK's `useChat`: BUNDLE is its script."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import FileResponse, HTMLResponse

from examples.ai_resume import app

__all__ = ["app"]

_BUNDLE = Path(os.environ["BUNDLE"])


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse("<!doctype html><meta charset=utf-8><body></body><script type=module src=/page.js></script>")


@app.get("/page.js")
async def script() -> FileResponse:
    return FileResponse(_BUNDLE, media_type="text/javascript")
