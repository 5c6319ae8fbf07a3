"""Sessions beyond the default test command: every Python, and the lowest, newest and next versions of dependencies.

    nox -s tests                 the suite on each installed Python, with the newest versions
    nox -s lowest                … with the lowest versions that pyproject.toml allows
    nox -s next                  … with pre-releases of the frameworks; it may fail
    nox -s distribution          wheel and sdist: built twice, compared, checked, installed in an empty environment
    nox -s user_types            mypy, pyright and ty over programs as users write them
    nox -s table                 docs/reference/versions.md, from the results of the runs
    nox -s pages                 the pages that are made by scripts: options, rooms, scale
    nox -s lint                  ruff's rules and format, types, and the words below
    nox -s words                 words that the style sheet bans

Arguments after `--` go to pytest.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "lowest"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
FRAMEWORKS = ["flask", "werkzeug", "django", "fastapi", "starlette", "asgiref"]
# the extras whose versions the project promises
USED = ["flask", "django", "fastapi", "compress", "testing", "redis", "postgres"]
# an extra, and a module that imports with nothing else installed. Not postgres: psycopg needs a libpq of the system's
MODULES = {
    "flask": "stream_adapter_flask",
    "django": "stream_adapter_django",
    "fastapi": "stream_adapter_fastapi",
    "compress": "stream_adapter.asgi",
    "testing": "stream_adapter.testing",
    "redis": "stream_adapter.engines.redis",
}
# the lowest versions need older companions: Starlette 0.49's test client uses a deprecated name of AnyIO's
COMPANIONS = ["anyio<4.12"]
# tests that read the source tree, which is taken away so that the wheel is tested
OF_THE_SOURCE = ["tests/test_docs.py", "tests/test_packaging.py", "tests/test_undocumented_names.py"]
ROOT = Path(__file__).parent
RESULTS = ROOT / ".nox" / "results"


def project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def floors(python: str) -> list[str]:
    """Return the lowest versions that the project supports, as constraints."""
    declared = [*project()["dependencies"]]
    for extra in USED:
        declared += project()["optional-dependencies"][extra]
    lowest: list[str] = []
    for requirement in declared:
        named = re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", requirement)
        if named is None:
            raise ValueError(f"pyproject.toml: expected a requirement with a lowest version, got {requirement!r}")
        if "python_version < '3.14'" in requirement and python >= "3.14":
            continue
        lowest.append(f"{named[1]}=={named[2]}")
    return lowest


def run_suite(session: nox.Session, versions: str) -> None:
    """Run the suite, and keep its results for the table of versions."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = RESULTS / f"{session.python}-{versions}.xml"
    junit = ["-o", "junit_family=xunit1", f"--junit-xml={result}"]  # xunit2 lacks properties, which tests record
    session.run("python", "-m", "pytest", "-q", *junit, *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the suite with the newest versions."""
    session.install("-e", ".[dev]")
    run_suite(session, "newest")


@nox.session(python=["3.11", "3.13"])
def lowest(session: nox.Session) -> None:
    """Run the suite with the lowest versions of the dependencies and of the frameworks."""
    constraints = Path(session.create_tmp()).resolve() / "lowest.txt"
    constraints.write_text("\n".join([*floors(str(session.python)), *COMPANIONS]))
    session.install("-e", ".[dev]", "-c", str(constraints))
    run_suite(session, "lowest")


@nox.session(python=PYTHONS[-2])
def next(session: nox.Session) -> None:  # noqa: A001  # the name of the session
    """Run the suite with pre-releases of the frameworks. A failure shows what changed there."""
    session.install("-e", ".[dev]")
    pre = ["--prerelease=allow"] if session.venv_backend == "uv" else ["--pre"]
    session.install("--upgrade", *pre, *FRAMEWORKS)
    session.run("python", "-m", "pytest", "-q", *session.posargs, success_codes=[0, 1])


@nox.session(python="3.13")
def distribution(session: nox.Session) -> None:
    """Build wheel and sdist twice, compare and check them; install the wheel alone, and run the sdist's tests on it."""
    session.install("build", "hatchling", "twine")
    built: list[dict[str, str]] = []
    for number in range(2):
        out = Path(session.create_tmp()).resolve() / f"dist{number}"
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(out), silent=True)
        built.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())})
    if built[0] != built[1]:
        session.error(f"two builds of one tree differ: {built}")
    files = sorted(out.iterdir())
    session.run("twine", "check", "--strict", *map(str, files))
    wheel, sdist = (next_of(files, suffix) for suffix in (".whl", ".tar.gz"))
    for extra, module in MODULES.items():
        session.run("python", "-m", "venv", "--clear", f"{out}/{extra}", silent=True)
        python = f"{out}/{extra}/bin/python"
        session.run(python, "-m", "pip", "install", "-q", f"{ROOT}[{extra}]", external=True)
        session.run(python, "-c", f"import {module}", external=True)
    session.run("python", "-m", "venv", "--clear", f"{out}/whole", silent=True)
    python = f"{out}/whole/bin/python"
    uses_uv = session.venv_backend == "uv"  # pip takes minutes to resolve so many
    installer = ["uv", "pip", "install", "--python", python] if uses_uv else [python, "-m", "pip", "install"]
    session.run(*installer, "-q", f"{wheel}[dev]", external=True)
    session.run("tar", "xzf", str(sdist), "-C", str(out), external=True)
    tree = Path(str(sdist).removesuffix(".tar.gz"))
    for folder in ("stream_adapter", "integrations"):  # so that the wheel is tested
        session.run("rm", "-r", str(tree / folder), external=True)
    with session.chdir(tree):
        path = os.environ["PATH"]
        # not nox's temporary folder, in which pytest would find the configuration of this tree
        env = {"PATH": f"{out}/whole/bin:{path}", "TMPDIR": os.environ.get("TMPDIR", "/tmp")}  # noqa: S108  # the system's
        ignored = [f"--ignore={test}" for test in OF_THE_SOURCE]
        session.run(python, "-m", "pytest", "-q", *ignored, *session.posargs, external=True, env=env)


def next_of(files: list[Path], suffix: str) -> Path:
    """Return the only file with that suffix."""
    (found,) = (file for file in files if file.name.endswith(suffix))
    return found


@nox.session(python="3.13")
def user_types(session: nox.Session) -> None:
    """Check programs of users by mypy and pyright, strictly, and by ty."""
    session.install("-e", ".[dev]", "ty")
    session.run("mypy", "--config-file", "tests/user_types/mypy.ini", "tests/user_types")
    session.run("pyright", "--project", "tests/user_types")
    session.run("ty", "check", "tests/user_types")


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Write the table of docs/reference/versions.md from the results of the last runs."""
    session.run(sys.executable, "docs/versions.py", str(RESULTS))


@nox.session(python=False)
def pages(session: nox.Session) -> None:
    """Write the pages that are made of the code."""
    for script in ("options", "rooms", "scale"):
        session.run(sys.executable, f"docs/{script}.py")


@nox.session(python="3.13")
def lint(session: nox.Session) -> None:
    """Check style, format, words and types, as the gate does."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", ".ci/words")
    session.run("mypy")
    session.run("pyright")


@nox.session(python=False)
def words(session: nox.Session) -> None:
    """Find words that the style sheet bans, in these paths or in every tracked file."""
    session.run(sys.executable, ".ci/words", *session.posargs)
