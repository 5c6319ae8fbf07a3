"""The documentation: its code runs as it stands, its links lead somewhere, and the site builds without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import httpx2
import pytest

import stream_adapter
import stream_adapter.types
from stream_adapter.testing import events
from tests.support.interpreter import Interpreter
from tests.support.links import dead_links
from tests.support.redis_server import RedisServer
from tests.support.servers import ROOT, Server, gunicorn, uvicorn

Serve = Callable[..., AbstractContextManager[Server]]

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    )
]
LANGUAGES = {"python", "sh", "text", "nginx", "html", "js", "json", "{toctree}", "{eval-rst}"}


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    with Interpreter.running() as interpreter:
        yield interpreter


@pytest.mark.parametrize("block", BLOCKS)
def test_python_block_of_the_docs_runs(interpreter: Interpreter, block: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block)
    assert interpreter.run(script) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_block_that_is_not_run_names_its_language(page: str) -> None:
    fences = re.findall(r"^```(.*)$", (DOCS / page).read_text(), re.MULTILINE)
    assert set(fences[0::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize(
    ("name", "serve"),
    [
        ("flask_app:app", gunicorn),
        ("django_app:wsgi", gunicorn),
        ("django_app:asgi", uvicorn),
        ("fastapi_app:app", uvicorn),
    ],
)
def test_tutorial_streams_the_same_generator_from_each_framework(name: str, serve: Serve, tmp_path: Path) -> None:
    module = name.partition(":")[0]
    tutorial = (DOCS / "tutorial" / "first-stream.md").read_text()
    (block,) = re.findall(rf"^```python\n(# {module}\.py\n.*?)^```", tutorial, re.DOTALL | re.MULTILINE)
    (tmp_path / f"{module}.py").write_text(block)
    options = ["--lifespan", "off"] if name.endswith(":asgi") else []
    with (
        serve(name, *options, cwd=tmp_path) as server,
        httpx2.stream("GET", f"{server.url}/tokens", timeout=30) as response,
    ):
        assert response.status_code == 200
        words = list(response.iter_text())
    assert words == ["Hold ", "nothing ", "back "]


@pytest.mark.parametrize("store", ["memory", "sqlite", "redis"])
def test_tutorial_of_live_updates_is_heard_resumed_and_reset(store: str, tmp_path: Path) -> None:
    tutorial = (DOCS / "tutorial" / "live-updates.md").read_text()
    (block,) = re.findall(r"^```python\n(# live_app\.py\n.*?)^```", tutorial, re.DOTALL | re.MULTILINE)
    (tmp_path / "live_app.py").write_text(block)
    with ExitStack() as stack:
        url = {"memory": "memory://", "sqlite": "sqlite:///live.sqlite3"}.get(store)
        if url is None:
            url = stack.enter_context(RedisServer()).url
        workers = ["--workers", "1" if store == "memory" else "2"]
        server = stack.enter_context(uvicorn("live_app:app", *workers, cwd=tmp_path, BROKER=url))
        client = stack.enter_context(httpx2.Client(base_url=server.url, timeout=30))
        path = "/orders/42/events"
        with client.stream("GET", path) as response:
            heard = events(response)
            assert next(heard).event == "stream-open"
            for state in ("paid", "packed", "sent"):
                published = client.post(f"/orders/42/{state}").json()["id"]
                event = next(heard)
                assert (event.event, event.id, event.json()) == ("order", published, {"state": state})
        client.post("/orders/42/returned")
        with client.stream("GET", path, headers={"Last-Event-ID": event.id}) as response:
            assert next(events(response)).json() == {"state": "returned"}
        with client.stream("GET", path, headers={"Last-Event-ID": "lost.7"}) as response:
            assert next(events(response)).event == "stream-reset"


@pytest.mark.parametrize(
    ("script", "page"),
    [
        ("options.py", "reference/options.md"),
        ("rooms.py", "explanation/architecture.md"),
        ("scale.py", "explanation/broker-at-scale.md"),
    ],
)
def test_page_that_is_made_of_the_code_is_up_to_date(script: str, page: str) -> None:
    """If it fails: `nox -s pages` writes the pages again."""
    code = f"import runpy, sys; sys.stdout.write(runpy.run_path('docs/{script}')['page']())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == (DOCS / page).read_text()


def test_each_test_that_a_page_names_exists() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "stream_adapter" / "testing").glob("*.py")]
    defined = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    named = {(page, name) for page in PAGES for name in re.findall(r"`(test_\w+)`", (DOCS / page).read_text())}
    assert sorted((page, name) for page, name in named if name not in defined) == []


def test_relative_links_of_the_docs_have_targets() -> None:
    pages = [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
    ]
    assert [f"{page.relative_to(ROOT)}: {link}" for page in pages for link in dead_links(page)] == []


def test_each_file_of_the_where_table_exists() -> None:
    table = (DOCS / "explanation" / "architecture.md").read_text().split("## Where is what")[1].split("\n## ")[0]
    files = re.findall(r"`([\w/]+\.py)`", table)
    assert len(files) > 30
    below = (ROOT / "stream_adapter", ROOT / "integrations")
    assert [file for file in files if not any((folder / file).exists() for folder in below)] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it; a warning is an error. Collections of garbage are a third of the time."""
    folder = tmp_path_factory.mktemp("site")
    main = "import gc, sys; gc.disable(); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    build = [sys.executable, "-c", main, "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_every_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    contents = (site / "index.html").read_text()
    assert [
        page for page in PAGES if page != "index.md" and f'href="{page.removesuffix(".md")}.html"' not in contents
    ] == []


def test_the_reference_has_every_public_name(site: Path) -> None:
    reference = (site / "reference" / "api.html").read_text()
    assert [name for name in stream_adapter.__all__ if f'id="stream_adapter.{name}"' not in reference] == []


def test_the_reference_has_every_public_type(site: Path) -> None:
    reference = (site / "reference" / "api.html").read_text()
    assert [name for name in stream_adapter.types.__all__ if name not in reference] == []
