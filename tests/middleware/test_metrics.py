"""The examples of metrics measure."""

from __future__ import annotations

import json

import httpx2
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from stream_adapter.testing import stream_client
from tests.support.gate import BOUND
from tests.support.servers import uvicorn


def test_prometheus_counts_streams_by_their_reason() -> None:
    with uvicorn("examples.metrics_prometheus:app") as server:
        assert httpx2.get(f"{server.url}/ticks", timeout=BOUND).text.count("data:") == 3
        metrics = httpx2.get(f"{server.url}/metrics/", timeout=BOUND).text
    assert 'streams_total{reason="done"} 1.0' in metrics
    assert "stream_first_chunk_seconds_count 1.0" in metrics


def test_opentelemetry_example_counts_the_bytes_sent() -> None:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    from examples.metrics_opentelemetry import app  # noqa: PLC0415  # it measures for the provider that there is

    with stream_client(app) as client:
        assert client.get("/rows").text == "0\n1\n2\n"
    data = reader.get_metrics_data()
    assert data is not None
    exported = json.loads(data.to_json())["resource_metrics"][0]["scope_metrics"][0]["metrics"]
    by_name = {metric["name"]: metric["data"]["data_points"][0] for metric in exported}
    assert by_name["stream.bytes"]["value"] == 6
    assert by_name["stream.bytes"]["attributes"] == {"stream.reason": "done"}
    assert by_name["stream.duration"]["count"] == 1
