"""Where people publish from: each place is a process as it is run, and a listener of another process hears it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import httpx2
import pytest

import stream_adapter as sa
from stream_adapter.testing import Listening, events, listening
from tests.support.queues import working
from tests.support.servers import ROOT, Server, gunicorn, gunicorn_gevent, uvicorn
from tests.support.stores import store

Serve: TypeAlias = Callable[..., AbstractContextManager[Server]]

BOUND = 60.0  # seconds that anything may take on a busy machine


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sa-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module", params=["redis", pytest.param("sqlite", marks=pytest.mark.servers)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with store(request.param) as url:
        yield url


WARNINGS = (
    "error",
    # redis-py's own, to 8.1 at least, on Python 3.14 and later: as pyproject.toml has it
    "ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning:redis.asyncio.connection",
    "ignore:This process (pid=:DeprecationWarning",  # it forks while it has threads, which is what is tested
)


@pytest.fixture
def heard(url: str) -> Iterator[Listening]:
    with sa.Broker(url, prefix="test") as live, listening(live, "ticks") as heard:
        live.publish("ticks", "it listens")
        assert heard.next(BOUND).data == "it listens"
        yield heard


def run_python(code: str, url: str, *arguments: str, stdin: str | None = None) -> str:
    """Run a program, which has to end well and say nothing on stderr; return what it has printed."""
    command = [sys.executable, *(f"-W{action}" for action in WARNINGS), *(arguments or ["-c", code])]
    environment = {
        **os.environ,
        "BROKER_URL": url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "integrations")]),
    }
    done = subprocess.run(
        command, env=environment, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


PRELUDE = """
import os, signal, sys, threading
import stream_adapter as sa
live = sa.Broker(os.environ["BROKER_URL"], prefix="test", publish_timeout=20.0)
"""

PLACES = {
    "a script": 'live.publish("ticks", "published")',
    "a thread": """
thread = threading.Thread(target=live.publish, args=("ticks", "published"))
thread.start()
thread.join()
""",
    "a thread of a signal handler": """
done = threading.Event()
def publish():
    live.publish("ticks", "published")
    done.set()
signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=publish).start())
live.publish("other", "in use")
os.kill(os.getpid(), signal.SIGUSR1)
assert done.wait(20)
""",
    "a running loop, by apublish": """
import asyncio
async def main():
    await live.apublish("ticks", "published")
    await live.aclose()
asyncio.run(main())
""",
    "a running loop, by publish": """
import asyncio
async def main():
    live.publish("ticks", "published")
asyncio.run(main())
""",
    "two loops, one after the other": """
import asyncio
asyncio.run(live.apublish("other", "x"))
asyncio.run(live.apublish("ticks", "published"))
""",
    "a forked child with live connections": """
events = iter(live.subscribe("other", since=live.last_event_id("other")))
live.publish("other", 1)
assert next(events).data == 1
pid = os.fork()
if pid == 0:
    code = 1
    try:
        live.publish("ticks", "published")
        assert next(iter(live.subscribe("ticks", replay=1))).data == "published"
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
live.publish("other", 2)
assert next(events).data == 2
""",
    "a forked child whose threads publish at once": """
live.publish("threads", 1)
pid = os.fork()
if pid == 0:
    code = 1
    try:
        start = threading.Barrier(8)
        def publish():
            start.wait()
            live.publish("threads", "x")
        threads = [threading.Thread(target=publish) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert live.last_event_id("threads").endswith(".9"), live.last_event_id("threads")
        live.publish("ticks", "published")
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
""",
    "a multiprocessing pool": """
import multiprocessing
def publish():
    live.publish("ticks", "published")
live.publish("other", 1)
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.apply(publish)
    pool.close()
    pool.join()
live.publish("other", 2)
""",
    "a greenlet": """
from gevent import monkey
monkey.patch_all()
""",
}
GREENLET = """
from gevent import monkey
monkey.patch_all()
import os
import gevent
import stream_adapter as sa
live = sa.Broker(os.environ["BROKER_URL"], prefix="test", publish_timeout=20.0)
others = [gevent.spawn(live.publish, "other", n) for n in range(20)]
gevent.joinall([*others, gevent.spawn(live.publish, "ticks", "published")], raise_error=True)
"""


def _places() -> Iterator[object]:
    for engine in ("redis", "sqlite"):
        for place in PLACES:  # forks are what engines differ in
            marks = [] if engine == "redis" or "fork" in place else [pytest.mark.servers]
            yield pytest.param(engine, place, id=f"{engine}-{place}", marks=marks)


@pytest.mark.parametrize(("url", "place"), list(_places()), indirect=["url"])
def test_event_published_from_a_place_is_heard_in_another_process(place: str, url: str, heard: Listening) -> None:
    run_python(GREENLET if place == "a greenlet" else PRELUDE + PLACES[place], url)
    assert heard.next(BOUND).data == "published"


@pytest.mark.parametrize("url", ["redis", "sqlite"], indirect=True)
def test_child_that_ends_without_publishing_leaves_the_parents_connections(url: str, heard: Listening) -> None:
    """As a worker of `gunicorn --preload` does."""
    run_python(
        PRELUDE
        + """
events = iter(live.subscribe("other", since=live.last_event_id("other")))
live.publish("other", 1)
assert next(events).data == 1
for ending in (sys.exit, live.close, lambda: live.stats()):
    pid = os.fork()
    if pid == 0:
        try:
            import atexit
            ending()
        except SystemExit:
            atexit._run_exitfuncs()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    live.publish("other", "still")
    assert next(events).data == "still"
live.publish("ticks", "published")
""",
        url,
    )
    assert heard.next(BOUND).data == "published"


# Django

SHELL = """
from tests.broker.apps.shop import live
live.publish("ticks", "published")
"""
SITE = "tests.broker.apps.shop"


@pytest.fixture(scope="module")
def shop(url: str, folder: Path) -> Iterator[httpx2.Client]:
    database = str(folder / f"{os.urandom(4).hex()}.sqlite3")
    with (
        gunicorn(f"{SITE}.site:wsgi", BROKER_URL=url, SHOP_DATABASE=database) as server,
        httpx2.Client(base_url=server.url, timeout=BOUND) as client,
    ):
        yield client


def test_django_view_publishes_when_its_transaction_is_committed(shop: httpx2.Client, heard: Listening) -> None:
    assert shop.get("/order/committed").text == "None; 1 stored"
    assert heard.next(BOUND).data == "committed: 1 stored"
    assert shop.get("/order/rolled-back").status_code == 500
    assert shop.get("/order/savepoint").text == "None; 1 stored"
    assert heard.next(BOUND).data == "savepoint: 1 stored"
    answer = shop.get("/order/without-transaction").text
    event = heard.next(BOUND)
    assert (event.data, answer) == ("without-transaction: 1 stored", f"{event.id}; 1 stored")


def test_django_admin_publishes_the_saved_object(shop: httpx2.Client, heard: Listening) -> None:
    form = shop.get("/admin/shop/order/add/").text
    token = form.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    answer = shop.post("/admin/shop/order/add/", data={"state": "paid", "csrfmiddlewaretoken": token})
    assert answer.status_code == 302, answer.text[-2000:]
    assert heard.next(BOUND).data == {"state": "paid"}


def test_manage_py_shell_publishes_to_listeners_of_other_processes(url: str, heard: Listening) -> None:
    run_python("", url, "-m", SITE, "shell", "--no-imports", "-c", SHELL)
    assert heard.next(BOUND).data == "published"


# Celery


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(("prefork", "2"), id="prefork"),
        pytest.param(("gevent", "4"), id="gevent", marks=pytest.mark.servers),
        pytest.param(("threads", "2"), id="threads", marks=pytest.mark.servers),
        pytest.param(("solo", "1"), id="solo", marks=pytest.mark.servers),
    ],
)
def test_celery_task_publishes(url: str, heard: Listening, folder: Path, pool: tuple[str, str]) -> None:
    pytest.importorskip("celery")
    queue = folder / os.urandom(4).hex()
    queue.mkdir()
    environment = {**os.environ, "LIVE_URL": url, "CELERY_FOLDER": str(queue), "PYTHONPATH": str(ROOT)}
    send = "from tests.broker.apps.tasks import publish\nfor n in range(3): publish.delay(n)"
    subprocess.run([sys.executable, "-c", send], env=environment, check=True, timeout=BOUND, cwd=ROOT)
    name, count = pool
    options = ["--pool", name, "--concurrency", count, "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "-A", "tests.broker.apps.tasks", "worker", *options, "-l", "WARNING"]
    log = queue / "log"
    with working(command, environment, log):
        try:
            found = {str(heard.next(BOUND).data) for _ in range(3)}
        except TimeoutError as error:
            raise AssertionError(log.read_text()) from error
    assert found == {"task 0", "task 1", "task 2"}


# servers


def test_preloaded_application_whose_master_published_serves_and_publishes(url: str, heard: Listening) -> None:
    options = ("--preload", "--workers", "2")
    with (
        gunicorn("tests.broker.apps.preloaded:app", *options, BROKER_URL=url) as server,
        httpx2.Client(base_url=server.url, timeout=BOUND) as client,
    ):
        assert heard.next(BOUND).data == "from the master"
        exchange(client)
        assert heard.next(BOUND).data == "published"


@pytest.mark.parametrize(
    ("serve", "app"),
    [
        pytest.param(gunicorn_gevent, "plain_wsgi:app", id="gevent"),
        pytest.param(uvicorn, "fastapi_app:app", id="threadpool of FastAPI"),
    ],
)
def test_server_publishes_and_serves(
    url: str, heard: Listening, serve: Callable[..., AbstractContextManager[Server]], app: str
) -> None:
    with serve(f"tests.broker.apps.{app}", BROKER_URL=url) as server, client_of(server) as client:
        exchange(client)
    assert heard.next(BOUND).data == "published"


def client_of(server: Server) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, timeout=BOUND)


def exchange(client: httpx2.Client) -> None:
    """Listen, and hear what another request publishes."""
    with client.stream("GET", "/events/sse") as response:
        arriving = events(response)
        assert next(arriving).event == "stream-open"
        assert client.get("/control/published").status_code == 200
        assert next(arriving).data == "published"
