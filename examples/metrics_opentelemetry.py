"""Metrics for OpenTelemetry: of every stream, when it has ended; of the broker, when the exporter asks.

pip install '.[flask]' gunicorn opentelemetry-sdk
gunicorn --threads 8 examples.metrics_opentelemetry:app
curl -N localhost:8000/rows
curl -N localhost:8000/events
curl -X POST localhost:8000/events
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from flask import Flask, Response
from opentelemetry import metrics

import stream_adapter as sa
from stream_adapter.wsgi import StreamAdapterMiddleware
from stream_adapter_flask import stream_response

live = sa.Broker(os.environ.get("BROKER", "memory://"))

meter = metrics.get_meter("streams")  # the deployment configures the exporter
BYTES = meter.create_counter("stream.bytes", unit="By", description="Body bytes handed to the server")
DURATION = meter.create_histogram("stream.duration", unit="s", description="How long streams lived")


def measured(summary: sa.StreamSummary) -> None:
    attributes = {"stream.reason": summary.reason}
    BYTES.add(summary.bytes_sent, attributes)
    DURATION.record(summary.duration, attributes)


def count_of(name: str) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
    """Return what reads one of the broker's counts when metrics are collected."""
    return lambda _: [metrics.Observation(getattr(live.stats(), name))]


def resets(_: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
    for reason, count in live.stats().resets.items():
        yield metrics.Observation(count, {"reason": reason})


for name in ("listeners", "channels", "lag", "is_connected"):
    meter.create_observable_gauge(f"broker.{name}", [count_of(name)])
for name in ("published", "publish_seconds", "publish_errors", "received", "reconnects"):
    meter.create_observable_counter(f"broker.{name}", [count_of(name)])
meter.create_observable_counter("broker.resets", [resets])

flask = Flask(__name__)


@flask.get("/events")
def events() -> Response:
    return stream_response(sa.sse(live.subscribe("ticks")))


@flask.post("/events")
def publish() -> str:
    return live.publish("ticks", {"tick": 1})


@flask.get("/rows")
def rows() -> Response:
    def source() -> Iterator[str]:
        for number in range(3):
            yield f"{number}\n"

    return Response(source(), mimetype="text/plain")


app = StreamAdapterMiddleware(flask, on_close=measured)
