"""What is installed: the wheel's contents, and what importing the core needs and does."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "stream_adapter",
    "stream_adapter_flask",
    "stream_adapter_django",
    "stream_adapter_fastapi",
    "stream_adapter_pytest",
}


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder: Path = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder))
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_exactly_the_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_the_wheels_packages_are_the_folders_on_disk() -> None:
    folders = {path.name for path in (ROOT / "integrations").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders | {"stream_adapter"} == PACKAGES


def test_every_module_on_disk_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    on_disk = {path.relative_to(ROOT).as_posix() for path in (ROOT / "stream_adapter").rglob("*.py")}
    integrations = ROOT / "integrations"
    on_disk |= {path.relative_to(integrations).as_posix() for path in integrations.rglob("*.py")}
    assert {name for name in wheel.namelist() if name.endswith(".py")} == on_disk


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_package_says_that_it_is_typed(package: str, wheel: zipfile.ZipFile) -> None:
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


def requirements(wheel: zipfile.ZipFile) -> list[str]:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    fields = email.message_from_bytes(wheel.read(metadata))
    return fields.get_all("Requires-Dist", [])


def test_every_requirement_is_one_that_the_core_imports(wheel: zipfile.ZipFile) -> None:
    required = {re.split(r"[^\w-]", line)[0] for line in requirements(wheel) if "extra ==" not in line}
    used = "import stream_adapter, sys; stream_adapter.Response().headers; print(*sys.modules, sep='\\n')"
    imported = run("-c", used).splitlines()
    assert required
    assert required - set(imported) == set()


def test_the_extra_for_flask_brings_what_flask_calls_async_views_by(wheel: zipfile.ZipFile) -> None:
    assert any(line.startswith("flask[async]") and "extra == 'flask'" in line for line in requirements(wheel))


def test_the_source_distribution_has_all_that_its_tests_import(tmp_path: Path) -> None:
    run("-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path))
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("stream_adapter", "integrations", "tests", "examples", "benchmarks")
    on_disk = {path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")}
    assert on_disk - names == set()


IMPORT_WITHOUT_FRAMEWORKS = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"flask", "django", "fastapi", "starlette", "asgiref"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
import stream_adapter, stream_adapter.errors, stream_adapter.formats, stream_adapter.integration, stream_adapter.types
assert b"".join(stream_adapter.iter_bytes(["a", 1])) == b"a1"
"""


def test_the_core_works_where_no_framework_can_be_imported() -> None:
    run("-c", IMPORT_WITHOUT_FRAMEWORKS)


IMPORT_DOES_NOTHING = """
import asyncio, socket, sys, threading

def state():
    frameworks = {"flask", "django", "fastapi", "starlette", "uvicorn"}
    found = {name for name in sys.modules if name.partition(".")[0] in frameworks}
    return threading.enumerate(), asyncio.get_event_loop_policy().__class__, socket.socket, sys.gettrace(), found

asyncio.run(asyncio.sleep(0))
before = state()
import stream_adapter, stream_adapter.formats, stream_adapter.integration
assert state() == before, state()
import stream_adapter_flask, stream_adapter_django, stream_adapter_fastapi
assert threading.enumerate() == [threading.main_thread()]
assert "uvicorn" not in sys.modules
"""


def test_importing_starts_no_thread_and_detects_no_framework() -> None:
    run("-W", "ignore::DeprecationWarning", "-c", IMPORT_DOES_NOTHING)


RESPONSES_OF_EACH_FORMAT = """
import sys

import stream_adapter as sa

def sent(response):
    heads = []
    body = b"".join(response({"REQUEST_METHOD": "GET"}, lambda status, headers: heads.append(dict(headers))))
    return heads[0]["Content-Type"], body

rows = [["a", 1]]
assert sent(sa.text(["a"])) == ("text/plain; charset=utf-8", b"a")
assert sent(sa.html(["a"], headers={"Vary": "Cookie"})) == ("text/html; charset=utf-8", b"a")
assert sent(sa.ndjson(rows)) == ("application/x-ndjson", b'["a",1]\\n')
assert sent(sa.json_array(rows)) == ("application/json", b'[["a",1]]')
assert b"data: a\\n" in sent(sa.sse(["a"]))[1]
assert sent(sa.csv(rows, header=["b", "c"])) == ("text/csv; header=present; charset=utf-8", b"b,c\\r\\na,1\\r\\n")
assert sent(sa.Response({"a": 1}))[1] == b'{"a":1}'
assert "werkzeug" not in sys.modules
assert sa.text(["a"], headers={"X-A": "b"}).headers["x-a"] == "b"
assert "werkzeug" in sys.modules
"""


def test_responses_without_a_parsed_header_do_not_wait_for_the_import_of_werkzeug() -> None:
    run("-c", RESPONSES_OF_EACH_FORMAT)


IMPORT_OF_THE_CORE_ALONE = """
import sys

import stream_adapter as sa

names = {name.partition(".")[0] for name in sys.modules}
others = {"flask", "django", "fastapi", "starlette", "asgiref", "redis", "psycopg", "sqlite3", "ctypes", "werkzeug"}
assert not names & others, names & others
rooms = {"stream_adapter._broker", "stream_adapter.engines", "stream_adapter.files", "stream_adapter._adapters"}
assert not rooms & set(sys.modules), rooms & set(sys.modules)

assert set(sa.__all__) <= set(dir(sa))
assert "StreamAdapterMiddleware" in dir(sa.asgi)      # a module, which nothing has imported by name
from stream_adapter import *
assert Broker is sa.Broker is sa._broker.Broker
assert file is sa.files.file
try:
    sa.no_such_name
except AttributeError as error:
    assert str(error) == "module 'stream_adapter' has no attribute 'no_such_name'"
    assert error.name == "no_such_name"
else:
    raise AssertionError("no_such_name")
"""


def test_importing_the_core_imports_no_framework_no_store_and_none_of_its_larger_parts() -> None:
    run("-c", IMPORT_OF_THE_CORE_ALONE)


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("stream_adapter_flask", "flask", "flask"),
        ("stream_adapter_django", "asgiref", "django"),
        ("stream_adapter_django", "django", "django"),
        ("stream_adapter_fastapi", "fastapi", "fastapi"),
        ("stream_adapter_fastapi", "starlette", "fastapi"),
        ("stream_adapter.engines.postgres", "psycopg", "postgres"),
    ],
)
def test_import_without_its_extra_says_what_to_install(module: str, missing: str, extra: str) -> None:
    source = f"import sys; sys.modules[{missing!r}] = None; import {module}"
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(
        rf"^ModuleNotFoundError: {module} needs \w+: pip install 'stream-adapter\[{extra}\]'$",
        done.stderr,
        re.MULTILINE,
    )
