"""Which test suites of other projects are run, with what, and how their applications meet this library."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SUITES", "Suite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The tests of one distribution's sdist.

    Attributes:
        project: its name and version in the package index. Versions are pinned: only this library differs.
        requires: what its tests need in addition to it and pytest, separated by blanks.
        ways: how they are run, each time compared with a run in which nothing is wrapped; see `wrapping.py`.
        tests: arguments for pytest, or for Django's own runner.
        files: files of this folder that stand in for such as its sdist leaves out: name here → path there.
        runner: "pytest" or "django".
    """

    project: str
    requires: str = ""
    ways: tuple[str, ...]
    tests: tuple[str, ...] = ("tests",)
    files: tuple[tuple[str, str], ...] = ()
    runner: str = "pytest"

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.partition("==")[0]


_LEFT_OUT_OF_FASTAPI = ("test_tutorial", "test_telemetry", "benchmarks", "memory_benchmarks")
_DJANGO = (
    "asgi wsgi handlers middleware requests_tests responses servers staticfiles_tests "
    "view_tests httpwrappers conditional_processing decorators"
)

SUITES = (
    Suite(
        project="starlette==1.10.0",
        requires=(
            "anyio[trio] httpx httpx2[zstd] itsdangerous jinja2 python-multipart pyyaml blockbuster "
            "importlib-metadata opentelemetry-sdk pytest-codspeed trio"
        ),
        ways=("middleware (ASGI)",),
        # under trio this library reports that it needs an asyncio loop
        tests=("tests", "-k", "not trio", "-W", "ignore::DeprecationWarning"),
    ),
    Suite(
        project="fastapi==0.165.0",
        requires=(
            "anyio[trio] httpx2 httpx dirty-equals flask inline-snapshot pyyaml python-multipart jinja2 "
            "itsdangerous pyjwt pwdlib[argon2] sqlmodel email-validator orjson ujson a2wsgi pydantic-settings "
            "pydantic-extra-types python-slugify uvicorn typer pytest-codspeed pytest-xdist pytest-timeout "
            "opentelemetry-sdk"
        ),
        ways=("middleware (ASGI)", "adapter (FastAPI)"),
        # the tutorial's examples (some 430 files) repeat what these test, and need a dozen libraries more
        tests=("tests", "-k", "not trio", *(f"--ignore=tests/{name}" for name in _LEFT_OUT_OF_FASTAPI)),
    ),
    Suite(
        project="flask==3.1.3",
        requires="asgiref greenlet python-dotenv pytest<9",
        ways=("middleware (Flask)", "adapter (Flask)"),
    ),
    Suite(
        project="werkzeug==3.1.9",
        requires="cffi cryptography ephemeral-port-reserve pytest-timeout watchdog",
        ways=("middleware (Werkzeug)",),
        # the development server's own processes and its reloader are not served through a test client
        tests=("tests", "--ignore=tests/test_serving.py"),
    ),
    Suite(
        project="whitenoise==6.12.0",
        requires="requests brotli django",
        ways=("middleware (wsgiref)",),
        # the sdist leaves out the settings and files that the tests of its Django part read
        tests=("tests/test_whitenoise.py", "tests/test_responders.py", "tests/test_media_types.py"),
        files=(("whitenoise_utils.py", "tests/utils.py"),),
    ),
    Suite(
        project="sse-starlette==3.7.0",
        requires="asgi-lifespan httpx2 pytest-asyncio uvicorn fastapi psutil portend tenacity",
        ways=("middleware (ASGI)",),
        files=(("sse_anyio_compat.py", "tests/anyio_compat.py"),),
        tests=("tests", "-o", "addopts="),
    ),
    Suite(
        project="a2wsgi==1.10.10",
        requires="httpx<1 starlette baize pytest-asyncio",
        ways=("in place of a2wsgi",),
    ),
    Suite(
        project="asgiref==3.13.0",
        requires="pytest-asyncio",
        ways=("in place of asgiref",),
        # the rest of asgiref's tests is of threads and of `Local`, which this library does not replace
        tests=("tests/test_wsgi.py",),
    ),
    Suite(
        project="django==5.2.19",
        ways=("middleware (Django)",),
        # those of its 889 files of tests that go through its two handlers, and what stands between those and a view
        tests=tuple(_DJANGO.split()),
        runner="django",
    ),
)
