"""Metrics of every stream, for Prometheus: the summary that `on_close` gets becomes a counter and two histograms.

uvicorn examples.metrics_prometheus:app
curl -N localhost:8000/ticks
curl localhost:8000/metrics
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from prometheus_client import Counter, Histogram, make_asgi_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Mount, Route

from stream_adapter import StreamSummary
from stream_adapter.asgi import StreamAdapterMiddleware

STREAMS = Counter("streams", "Streams that have ended", ["reason"])
DURATION = Histogram("stream_seconds", "How long they lived", buckets=[0.1, 1, 10, 60, 600, 3600])
FIRST_CHUNK = Histogram("stream_first_chunk_seconds", "How long their first chunk took")


def measured(summary: StreamSummary) -> None:
    STREAMS.labels(summary.reason).inc()
    DURATION.observe(summary.duration)
    if summary.time_to_first_chunk is not None:
        FIRST_CHUNK.observe(summary.time_to_first_chunk)


async def ticks(_: Request) -> StreamingResponse:
    async def source() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(source(), media_type="text/event-stream")


starlette = Starlette(routes=[Route("/ticks", ticks), Mount("/metrics", make_asgi_app())])
app = StreamAdapterMiddleware(starlette, on_close=measured)
