"""Each example by the server that its docstring names, and what its commands show."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from stream_adapter.testing import events
from tests.support.gate import BOUND
from tests.support.servers import ROOT, Server, gunicorn, uvicorn

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
FRAMEWORKS = {
    "flask": lambda: gunicorn("examples.flask_app:app"),
    "django-wsgi": lambda: gunicorn("examples.django_app:wsgi"),
    "django-asgi": lambda: uvicorn("examples.django_app:asgi", "--lifespan", "off"),
    "fastapi": lambda: uvicorn("examples.fastapi_app:app"),
}
PLAIN = {
    "plain-wsgi": lambda: gunicorn("examples.plain_wsgi:app"),
    "plain-asgi": lambda: uvicorn("examples.plain_asgi:app"),
}
TEMPLATES = {
    "flask": lambda: gunicorn("examples.flask_templates:app"),
    "django-wsgi": lambda: gunicorn("examples.django_templates:wsgi"),
    "django-asgi": lambda: uvicorn("examples.django_templates:asgi", "--lifespan", "off"),
    "fastapi": lambda: uvicorn("examples.fastapi_templates:app"),
}


ORDERS: dict[str, Callable[..., AbstractContextManager[Server]]] = {
    "flask": partial(gunicorn, "examples.orders_flask:app"),
    "django-wsgi": partial(gunicorn, "examples.orders_django:wsgi"),
    "django-asgi": partial(uvicorn, "examples.orders_django:asgi", "--lifespan", "off"),
    "fastapi": partial(uvicorn, "examples.orders_fastapi:app"),
}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with FRAMEWORKS[request.param]() as running:
        yield running


@pytest.fixture(scope="module", params=PLAIN)
def plain(request: pytest.FixtureRequest) -> Iterator[Server]:
    with PLAIN[request.param]() as running:
        yield running


def words_of(server: Server) -> list[str]:
    with httpx2.stream("GET", f"{server.url}/tokens", timeout=BOUND) as response:
        assert response.status_code == 200
        return list(response.iter_text())


def test_example_sends_each_token_on_its_own(server: Server) -> None:
    words = words_of(server)
    assert "".join(words) == "Hold nothing back that is ready . "
    assert len(words) > 1


def test_example_sends_rows_as_ndjson(server: Server) -> None:
    response = httpx2.get(f"{server.url}/rows", timeout=BOUND)
    assert response.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert rows == [{"row": number, "to": "127.0.0.1"} for number in range(5)]


@pytest.mark.parametrize(("seen", "first"), [(None, 0), ("6", 7)])
def test_events_resume_after_the_last_one_of_the_client(server: Server, seen: str | None, first: int) -> None:
    headers = {} if seen is None else {"Last-Event-ID": seen}
    with (
        httpx2.Client(timeout=BOUND) as client,
        client.stream("GET", f"{server.url}/events", headers=headers) as response,
    ):
        events = [(event.id, event.json()) for event in httpx2.EventSource(response) if event.data]
    assert events == [(str(number), {"tick": number}) for number in range(first, first + 5)]


def test_example_sends_the_report_as_a_csv_attachment(server: Server) -> None:
    response = httpx2.get(f"{server.url}/report.csv", timeout=BOUND)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == "attachment"
    assert response.text.splitlines()[-1] == "999,998001"


def test_error_before_the_first_item_is_403(server: Server) -> None:
    assert httpx2.get(f"{server.url}/secret", timeout=BOUND).status_code == 403


def test_plain_example_streams_tokens_and_rows(plain: Server) -> None:
    assert "".join(words_of(plain)) == "Hold nothing back that is ready . "
    assert httpx2.get(f"{plain.url}/rows", timeout=BOUND).text.splitlines() == [
        f'{{"row":{number}}}' for number in range(5)
    ]
    assert httpx2.get(f"{plain.url}/", timeout=BOUND).status_code == 404


@pytest.mark.parametrize("serve", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_is_sent_while_it_is_rendered(serve: Callable[[], AbstractContextManager[Server]]) -> None:
    with serve() as server, httpx2.stream("GET", f"{server.url}/", timeout=BOUND) as response:
        parts = list(response.iter_text())
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    lines = "".join(parts).splitlines()
    assert lines == ["<h1>Rows</h1>", "<ul>", "<li>Hold</li>", "<li>nothing</li>", "<li>&lt;back&gt;</li>", "</ul>"]
    assert len(parts) > 1


def test_job_progress_resumes_and_ends_with_204() -> None:
    with uvicorn("examples.sse_resume:app") as server, httpx2.Client(base_url=server.url, timeout=BOUND) as client:
        with client.stream("GET", "/progress") as response:
            events = (event for event in httpx2.EventSource(response) if event.data)
            assert [next(events).id, next(events).id] == ["0", "5"]
        with client.stream("GET", "/progress", headers={"Last-Event-ID": "5"}) as response:
            *steps, done = [event for event in httpx2.EventSource(response) if event.id]
        assert [event.json() for event in steps] == [{"percent": percent} for percent in range(10, 101, 5)]
        assert (done.event, done.id) == ("done", "done")
        assert client.get("/progress", headers={"Last-Event-ID": done.id}).status_code == 204
        assert "new EventSource" in client.get("/").text


def test_model_output_is_read_by_two_kinds_of_clients() -> None:
    with uvicorn("examples.ai_streams:app") as server:
        with OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            chunks = client.chat.completions.create(model="echo", messages=[], stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hold nothing back."
        answer = httpx2.post(f"{server.url}/api/chat", json={}, timeout=BOUND)
        message = httpx2.post(f"{server.url}/v1/messages", json={}, timeout=BOUND)
        run = httpx2.post(f"{server.url}/agent", json={}, timeout=BOUND)
    assert message.text.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert run.text.endswith('data: {"type":"RUN_FINISHED","threadId":"1","runId":"1"}\n\n')
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert answer.text.endswith('data: {"type":"finish"}\n\ndata: [DONE]\n\n')


@pytest.mark.parametrize("serve", [uvicorn, gunicorn])
def test_downloads_send_ranges_of_files(serve: Callable[..., AbstractContextManager[Server]], tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("0123456789")
    name = "asgi" if serve is uvicorn else "wsgi"
    with serve(f"examples.downloads:{name}", FILES=str(tmp_path)) as server:
        answer = httpx2.get(f"{server.url}/report.txt", headers={"Range": "bytes=2-4"}, timeout=BOUND)
        assert (answer.status_code, answer.text) == (206, "234")
        assert httpx2.get(f"{server.url}/other.txt", timeout=BOUND).status_code == 404


def test_prometheus_metrics_count_streams_by_reason() -> None:
    with uvicorn("examples.metrics_prometheus:app") as server:
        assert httpx2.get(f"{server.url}/ticks", timeout=BOUND).text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
        deadline = time.monotonic() + 10  # the stream is counted when it is closed, after its last byte
        while 'streams_total{reason="done"} 1.0' not in (
            metrics := httpx2.get(f"{server.url}/metrics/", timeout=BOUND).text
        ):
            assert time.monotonic() < deadline, metrics


def test_prometheus_example_exports_the_counts_of_the_broker() -> None:
    with uvicorn("examples.metrics_prometheus:app") as server:
        with httpx2.stream("GET", f"{server.url}/events", timeout=BOUND) as response:
            heard = events(response)
            assert next(heard).event == "stream-open"
            httpx2.post(f"{server.url}/events", timeout=BOUND)
            assert next(heard).json() == {"tick": 1}
            metrics = httpx2.get(f"{server.url}/metrics/", timeout=BOUND).text
        with httpx2.stream(
            "GET", f"{server.url}/events", headers={"Last-Event-ID": "foreign.1"}, timeout=BOUND
        ) as response:
            assert next(events(response)).event == "stream-reset"
        for line in ("connected 1.0", "listeners 1.0", "channels 1.0", "published_total 1.0", "received_total 1.0"):
            assert f"\nbroker_{line}\n" in metrics
        assert 'broker_resets_total{reason="unknown"} 1.0' in httpx2.get(f"{server.url}/metrics/", timeout=BOUND).text


def test_opentelemetry_example_streams_under_gunicorn() -> None:
    with gunicorn("examples.metrics_opentelemetry:app") as server:
        assert httpx2.get(f"{server.url}/rows", timeout=BOUND).text == "0\n1\n2\n"


def test_opentelemetry_example_exports_the_counts_of_the_broker() -> None:
    program = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))

from examples.metrics_opentelemetry import flask, live

flask.test_client().post("/events")
for event in live.subscribe("ticks", since="earliest"):
    break
next(iter(live.subscribe("ticks", since="foreign.1")))
for each in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
    for point in each.data.data_points:
        print(each.name, int(point.value), dict(point.attributes))
live.close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = done.stdout.splitlines()
    assert {"broker.published 1 {}", "broker.is_connected 1 {}", "broker.resets 1 {'reason': 'unknown'}"} <= {*lines}


@pytest.mark.parametrize("serve", ORDERS.values(), ids=ORDERS)
def test_order_page_receives_events_of_another_worker(
    serve: Callable[..., AbstractContextManager[Server]], tmp_path: Path
) -> None:
    env = {"BROKER": f"sqlite:///{tmp_path}/broker.sqlite3", "DATABASE": str(tmp_path / "orders.sqlite3")}
    with (
        serve("--workers", "2", **env) as server,
        serve(**env) as other,
        httpx2.Client(timeout=30) as client,
    ):
        orders, others = f"{server.url}/orders/42", f"{other.url}/orders/42"
        assert "new EventSource" in client.get(orders).text
        with client.stream("GET", f"{orders}/events") as response:
            heard = events(response)
            assert next(heard).event == "stream-open"
            state = next(heard)
            assert (state.event, state.json()["step"]) == ("snapshot", 0)
            for step in (1, 2):
                assert client.post(f"{others}/advance").status_code == 200
                event = next(heard)
                assert (event.event, event.json()["step"]) == ("order", step)
                assert event.json()["process"] != state.json()["process"]
        client.post(f"{orders}/advance")
        with client.stream("GET", f"{others}/events", headers={"Last-Event-ID": event.id}) as response:
            assert next(events(response)).json()["step"] == 3


def test_notifications_are_refused_once_the_member_is_revoked(tmp_path: Path) -> None:
    env: Any = {"BROKER": f"sqlite:///{tmp_path}/broker.sqlite3", "DATABASE": str(tmp_path / "members.sqlite3")}
    with (
        gunicorn("examples.notifications:app", **env) as server,
        httpx2.Client(base_url=server.url, timeout=BOUND) as client,
    ):
        path = "/teams/red/notifications"
        client.post("/login", data={"user": "ada"})
        assert client.get(path).status_code == 403
        client.post("/teams/red/members", data={"user": "ada"})
        with client.stream("GET", path) as response:
            heard = events(response)
            cursor = next(heard).id
            client.post(path, data={"text": "Hello"})
            assert next(heard).json() == {"text": "Hello"}
        client.post(path, data={"text": "missed"})
        with client.stream("GET", path, headers={"Last-Event-ID": cursor}) as response:
            assert next(events(response)).json() == {"text": "Hello"}
        client.delete("/teams/red/members/ada")
        refused = client.get(path, headers={"Last-Event-ID": cursor})
        assert refused.status_code == 403
        assert "missed" not in refused.text


def test_stream_of_notifications_ends_so_that_its_client_is_asked_again(tmp_path: Path) -> None:
    env: Any = {"BROKER": f"sqlite:///{tmp_path}/broker.sqlite3", "DATABASE": str(tmp_path / "members.sqlite3")}
    with (
        gunicorn("examples.notifications:app", MINUTES="0.005", **env) as server,
        httpx2.Client(base_url=server.url, timeout=BOUND) as client,
    ):
        client.post("/login", data={"user": "ada"})
        client.post("/teams/red/members", data={"user": "ada"})
        with client.stream("GET", "/teams/red/notifications") as response:
            heard = events(response)
            assert next(heard).event == "stream-open"
            assert next(heard).event == "error"


def test_each_example_is_run_here_or_by_its_client() -> None:
    tests = ROOT / "tests"
    # those of a protocol by its own client, and those of job queues by their workers
    others = (*(tests / "clients").glob("test_*.py"), tests / "runs" / "test_job_queue_examples.py")
    source = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__), *others))
    examples = [path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "__init__"]
    assert [name for name in examples if f"examples.{name}:" not in source] == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: path.stem)
def test_commands_of_an_example_install_from_the_checkout_with_extras_that_exist(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    commands = [line for line in docstring.splitlines() if line.startswith("pip install ")]
    assert len(commands) == bool(re.search(r"^(\w+=\S+ )?(uvicorn|gunicorn) ", docstring, re.MULTILINE))
    extras = re.findall(r"^pip install (?:\.|'\.\[([\w,]+)\]') ", "\n".join(commands), re.MULTILINE)
    assert len(extras) == len(commands)
    assert {extra for names in extras for extra in names.split(",") if extra} <= EXTRAS
