"""Metrics of every stream, for OpenTelemetry: a counter of bytes, a histogram of durations, by the reason of the end.

gunicorn --threads 8 examples.metrics_opentelemetry:app
curl -N localhost:8000/rows
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response
from opentelemetry import metrics

from stream_adapter import StreamSummary
from stream_adapter.wsgi import StreamAdapterMiddleware

meter = metrics.get_meter("streams")  # the deployment configures the exporter
BYTES = meter.create_counter("stream.bytes", unit="By", description="Body bytes handed to the server")
DURATION = meter.create_histogram("stream.duration", unit="s", description="How long streams lived")


def measured(summary: StreamSummary) -> None:
    attributes = {"stream.reason": summary.reason}
    BYTES.add(summary.bytes_sent, attributes)
    DURATION.record(summary.duration, attributes)


flask = Flask(__name__)


@flask.get("/rows")
def rows() -> Response:
    def source() -> Iterator[str]:
        for number in range(3):
            yield f"{number}\n"

    return Response(source(), mimetype="text/plain")


app = StreamAdapterMiddleware(flask, on_close=measured)
