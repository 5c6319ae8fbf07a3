"""Programs beside Python that some tests need. Tests of a missing one are skipped, and the run says so first."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

_FOLDERS = (
    os.environ.get("PATH", os.defpath),
    "/usr/sbin",  # where Debian has nginx
    "/usr/local/sbin",
    f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/webkit2gtk-4.1",  # and MiniBrowser
)
_PATH = os.pathsep.join(_FOLDERS)


@dataclass(frozen=True)
class Program:
    """A program that may be missing.

    Attributes:
        names: the commands that it may be installed as; the first that is found is used.
        package: Debian's package of it.
        tests: the tests that need it.
        path: where it is; empty if it is missing.
    """

    names: tuple[str, ...]
    package: str
    tests: str
    path: str = field(init=False)

    def __post_init__(self) -> None:
        found = (shutil.which(name, path=_PATH) for name in self.names)
        object.__setattr__(self, "path", next(filter(None, found), ""))

    @property
    def needed(self) -> pytest.MarkDecorator:
        """Return the mark that skips a test where the program is missing."""
        return pytest.mark.skipif(not self.path, reason=f"{self.names[0]} is not installed")


CHROMIUM = Program(("chromium", "google-chrome"), "chromium", "browsers: tests/browser, demo, clients, middleware")
CHROMEDRIVER = Program(("chromedriver",), "chromium-driver", CHROMIUM.tests)
_OTHER_BROWSERS = "tests/browser with STREAM_ADAPTER_BROWSER"
FIREFOX = Program(("firefox-esr", "firefox"), "firefox-esr", _OTHER_BROWSERS)
WEBKIT = Program(("MiniBrowser",), "libwebkit2gtk-4.1-0", _OTHER_BROWSERS)
WEBKIT_DRIVER = Program(("WebKitWebDriver",), "webkit2gtk-driver", _OTHER_BROWSERS)
XVFB = Program(("Xvfb",), "xvfb", _OTHER_BROWSERS)
NGINX = Program(("nginx",), "nginx-light", "proxies: tests/check, faults, deployments")
CURL = Program(("curl",), "curl", "compressed streams: tests/django, middleware")
OPENSSL = Program(("openssl",), "openssl", "certificates: tests/check")
REDIS = Program(("redis-server",), "redis-server", "engines: tests/broker on Redis")
ALL = (CHROMIUM, CHROMEDRIVER, NGINX, CURL, OPENSSL, REDIS)


def missing() -> Iterator[str]:
    """Yield a line for each program that is missing: what is skipped, and how to install it."""
    absent = [program for program in ALL if not program.path]
    for program in absent:
        yield f"{program.names[0]} is not installed: skipping {program.tests}"
    if absent:
        yield f"to run all tests: apt-get install {' '.join(program.package for program in absent)}"
