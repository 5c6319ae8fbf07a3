"""The fixtures, as a project of others has them: its tests are run in a pytest of their own, and its output is read."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

PLUGIN = (
    "-pstream_adapter_pytest"  # as the entry point has it, for an environment that was installed before there was one
)

FLASK = """
    import queue
    import time
    from flask import Flask
    from stream_adapter import ServerSentEvent
    from stream_adapter_flask import streaming

    app = Flask(__name__)

    @app.get("/events")
    @streaming
    def good():
        number = 0
        while True:
            yield ServerSentEvent(str(number))
            number += 1
            time.sleep(0.05)

    @app.get("/gathered")
    def gathered():
        def ticks():
            for number in range(4):
                yield f"data: {number}\\n\\n"
                time.sleep(0.05)
        return app.response_class("".join(ticks()), mimetype="text/event-stream")

    @app.get("/unclosed")
    def unclosed():
        def ticks():
            yield "data: 0\\n\\n"
            yield queue.Queue().get(timeout=6)           # it is not notified of the disconnect
        return app.response_class(ticks(), mimetype="text/event-stream")
"""
DJANGO = """
    import asyncio
    import time
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path
    from stream_adapter import ServerSentEvent
    from stream_adapter_django import streaming

    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="a test's")

    @streaming
    async def good(request):
        number = 0
        while True:
            yield ServerSentEvent(str(number))
            number += 1
            await asyncio.sleep(0.05)

    def ticks(count):
        for number in range(count):
            yield f"data: {number}\\n\\n"
            time.sleep(0.05)

    async def gathered(request):                         # Django reads a sync iterator whole under ASGI
        return StreamingHttpResponse(list(ticks(4)), content_type="text/event-stream")

    held = []

    async def unclosed(request):
        async def lines():
            held.append(ticks(1000))                     # it is never closed
            for line in held[-1]:
                yield line
                await asyncio.sleep(0.01)
        return StreamingHttpResponse(lines(), content_type="text/event-stream")

    urlpatterns = [path("events", good), path("gathered", gathered), path("unclosed", unclosed)]
    app = get_asgi_application()
"""
FASTAPI = """
    import asyncio
    import time
    from fastapi import FastAPI
    from starlette.responses import StreamingResponse
    from stream_adapter import ServerSentEvent
    from stream_adapter_fastapi import streaming

    app = FastAPI()

    @app.get("/events")
    @streaming
    async def good():
        number = 0
        while True:
            yield ServerSentEvent(str(number))
            number += 1
            await asyncio.sleep(0.05)

    def ticks():
        for number in range(1000):
            yield f"data: {number}\\n\\n"
            time.sleep(0.05)

    @app.get("/gathered")
    async def gathered():
        async def few():
            for number in range(4):
                yield f"data: {number}\\n\\n"
                await asyncio.sleep(0.05)
        return StreamingResponse(iter([line async for line in few()]), media_type="text/event-stream")

    @app.get("/unclosed")
    def unclosed():
        return StreamingResponse(ticks(), media_type="text/event-stream")    # Starlette does not close it
"""

NEWCOMERS_TESTS = """
    import pytest
    from stream_adapter.testing import assert_closes, assert_streams, events
    from project import app

    def test_the_first_events(stream_client):
        with stream_client(app).stream("GET", "/events") as response:
            assert next(events(response)).data == "0"
            assert next(events(response)).data == "1"

    def test_events_stream():
        assert_streams(app, "/events")

    def test_events_close():
        assert_closes(app, "/events")

    def test_gathered_streams():
        assert_streams(app, "/gathered")

    def test_unclosed_closes():
        assert_closes(app, "/unclosed", within=0.5)
"""
UNCLOSED = {
    "flask": "GET /unclosed: the application was still running 0.5 s after the client left. It is here:",
    "django": "  ticks is not closed. It is suspended here: File ",
    "fastapi": "  ticks is not closed. It is suspended here: File ",
}


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load none of what else this environment has: it takes longer than the tests."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.parametrize(
    ("framework", "project"),
    [("flask", FLASK), ("django", DJANGO), ("fastapi", FASTAPI)],
    ids=["flask", "django", "fastapi"],
)
def test_first_test_of_a_user_passes_and_fails_with_the_right_reason(
    pytester: pytest.Pytester, framework: str, project: str
) -> None:
    pytester.makepyfile(project=project, test_project=NEWCOMERS_TESTS)
    alone = framework == "django"  # its settings are the process's
    run = pytester.runpytest_subprocess if alone else pytester.runpytest_inprocess
    result = run(PLUGIN, "-rA", "--tb=short")
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(["FAILED *test_gathered_streams - *", "FAILED *test_unclosed_closes - *"])
    said = result.stdout.str()
    assert (
        "expected the first chunk before the source continues, but everything arrived at once: the first chunk" in said
    )
    assert UNCLOSED[framework] in said


def test_the_fixtures_serve_applications_of_both_protocols_and_leave_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import asyncio
        import threading

        import httpx2
        import pytest

        def wsgi(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"wsgi"]

        async def asgi(scope, receive, send):
            assert scope["type"] == "http"
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"asgi"})

        @pytest.mark.parametrize(("app", "text"), [(wsgi, "wsgi"), (asgi, "asgi")])
        def test_sync(app, text, stream_client, live_server):
            assert stream_client(app, headers={"X-Name": "value"}).get("/").text == text
            assert httpx2.get(live_server(app).url).text == text

        def test_async(async_stream_client):
            async def test():
                async with async_stream_client(asgi) as client:
                    return (await client.get("/")).text
            assert asyncio.run(test()) == "asgi"

        def test_nothing_is_left():
            assert threading.enumerate() == [threading.main_thread()]
    """)
    result = pytester.runpytest_subprocess(PLUGIN, "-Werror")
    result.assert_outcomes(passed=4)


ANOTHER = """
    import pytest

    @pytest.fixture
    def live_server():
        return "another's"
"""


def test_live_server_of_another_plugin_stays_and_that_of_this_one_can_be_imported(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        another_plugin=ANOTHER,
        test_other='def test_it(live_server): assert live_server == "another\'s"',
    )
    folder = pytester.mkpydir("importing")
    (folder / "conftest.py").write_text("from stream_adapter_pytest.servers import live_server\n")
    (folder / "test_importing.py").write_text("def test_it(live_server): assert callable(live_server)\n")
    pytester.syspathinsert()
    for order in (["-panother_plugin", PLUGIN], [PLUGIN, "-panother_plugin"]):
        result = pytester.runpytest_inprocess(*order)
        result.assert_outcomes(passed=2)


WHAT_IT_LOADS = """
import sys, pytest
before = set(sys.modules)
import stream_adapter_pytest
print({name.partition(".")[0] for name in set(sys.modules) - before})
"""


def test_a_project_that_does_not_stream_loads_nothing_but_the_module_of_the_fixtures() -> None:
    done = subprocess.run([sys.executable, "-c", WHAT_IT_LOADS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'stream_adapter_pytest'}"


def test_pytest_finds_the_plugin_by_itself() -> None:
    (entry,) = importlib.metadata.entry_points(group="pytest11", name="stream_adapter_pytest")
    assert entry.value == "stream_adapter_pytest"
