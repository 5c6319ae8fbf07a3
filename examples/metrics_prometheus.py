"""Metrics for Prometheus: of every stream, from the summary that `on_close` gets; of the broker, from its counts.

pip install . starlette uvicorn prometheus-client
uvicorn examples.metrics_prometheus:app
curl -N localhost:8000/ticks
curl -N localhost:8000/events
curl -X POST localhost:8000/events
curl localhost:8000/metrics/
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

from prometheus_client import REGISTRY, Counter, Histogram, make_asgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter_fastapi import stream_response

live = sa.Broker(os.environ.get("BROKER", "memory://"))

STREAMS = Counter("streams", "Streams that have ended", ["reason"])
DURATION = Histogram("stream_seconds", "How long they lived", buckets=[0.1, 1, 10, 60, 600, 3600])
FIRST_CHUNK = Histogram("stream_first_chunk_seconds", "How long their first chunk took")


def measured(summary: sa.StreamSummary) -> None:
    STREAMS.labels(summary.reason).inc()
    DURATION.observe(summary.duration)
    if summary.time_to_first_chunk is not None:
        FIRST_CHUNK.observe(summary.time_to_first_chunk)


class BrokerMetrics(Collector):
    """The counts of this process, read when it is scraped."""

    def collect(self) -> Iterator[Metric]:
        stats = live.stats()
        yield GaugeMetricFamily("broker_connected", "0 while the engine's connection is lost", stats.is_connected)
        yield GaugeMetricFamily("broker_listeners", "Subscriptions that are read", stats.listeners)
        yield GaugeMetricFamily("broker_channels", "Channels that are watched", stats.channels)
        yield GaugeMetricFamily("broker_lag_seconds", "From publishing to arrival, of the newest event", stats.lag)
        yield CounterMetricFamily("broker_published", "Events", value=stats.published)
        yield CounterMetricFamily("broker_publish_seconds", "Time that publishing took", value=stats.publish_seconds)
        yield CounterMetricFamily("broker_publish_errors", "Calls that failed", value=stats.publish_errors)
        yield CounterMetricFamily("broker_received", "Events that arrived for listeners", value=stats.received)
        yield CounterMetricFamily("broker_reconnects", "Of the engine's connection", value=stats.reconnects)
        resets = CounterMetricFamily("broker_resets", "Listeners that have missed events", labels=["reason"])
        for reason, count in stats.resets.items():
            resets.add_metric([reason], count)
        yield resets


REGISTRY.register(BrokerMetrics())


async def events(_: Request) -> Response:
    return stream_response(sa.sse(live.subscribe("ticks")))


async def publish(_: Request) -> Response:
    return PlainTextResponse(await live.apublish("ticks", {"tick": 1}))


async def ticks(_: Request) -> StreamingResponse:
    async def source() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(source(), media_type="text/event-stream")


routes = [
    Route("/ticks", ticks),
    Route("/events", events),
    Route("/events", publish, methods=["POST"]),
    Mount("/metrics", make_asgi_app()),
]
starlette = Starlette(routes=routes)
app = StreamAdapterMiddleware(starlette, on_close=measured)
