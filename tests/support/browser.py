"""A real browser: Chromium, or the one that STREAM_ADAPTER_BROWSER names, `firefox` or `webkit`."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import JavascriptException, NoSuchFrameException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, WebKitGTK, WebKitGTKOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait
from selenium.webdriver.webkitgtk.service import Service as WebKitService

from tests.support.firefox import firefox
from tests.support.gate import BOUND
from tests.support.programs import CHROMEDRIVER, CHROMIUM, FIREFOX, WEBKIT, WEBKIT_DRIVER, XVFB, Program

__all__ = ["BROWSER", "Page", "chosen_browser", "chromium", "needs_browser", "needs_chromium"]

BROWSER = os.environ.get("STREAM_ADAPTER_BROWSER", "chromium")

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def _needs(*programs: Program) -> pytest.MarkDecorator:
    missing = [program.names[0] for program in programs if not program.path]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")


_PROGRAMS = {
    "chromium": (CHROMIUM, CHROMEDRIVER),
    "firefox": (FIREFOX,),
    "webkit": (WEBKIT, WEBKIT_DRIVER, XVFB),
}
needs_chromium = _needs(*_PROGRAMS["chromium"])
needs_browser = _needs(*_PROGRAMS[BROWSER])


def chosen_browser(profile: Path) -> AbstractContextManager[Any]:
    """Start the browser that is chosen, whose `get` does not wait for a page.

    Args:
        profile: an empty folder, for what it stores.
    """
    start: dict[str, Callable[[Path], AbstractContextManager[Any]]]
    start = {"chromium": chromium, "firefox": firefox, "webkit": _webkit}
    return start[BROWSER](profile)


@contextmanager
def chromium(profile: Path) -> Generator[Chrome]:
    """Start Chromium, whose `get` does not wait for a page, which may be endless.

    Args:
        profile: an empty folder, for what it stores.
    """
    options = ChromeOptions()
    options.binary_location = CHROMIUM.path
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.page_load_strategy = "none"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options, Service(CHROMEDRIVER.path))
    try:
        yield browser
    finally:
        browser.quit()


@contextmanager
def _webkit(profile: Path) -> Generator[WebKitGTK]:
    """Start WebKit's GTK port, which needs a display."""
    readable, writable = os.pipe()
    command = [XVFB.path, "-displayfd", str(writable), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writable], stderr=subprocess.DEVNULL) as display:
        os.close(writable)
        try:
            with os.fdopen(readable) as numbers:
                environment = {**os.environ, "DISPLAY": f":{numbers.readline().strip()}", "HOME": str(profile)}
            options = WebKitGTKOptions()
            options.binary_location = WEBKIT.path
            options.add_argument("--automation")
            options.page_load_strategy = "none"
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of Selenium's own call
                browser = WebKitGTK(options, service=WebKitService(WEBKIT_DRIVER.path, env=environment))
            try:
                yield browser
            finally:
                browser.quit()
        finally:
            display.terminate()


class Page:
    """What a browser shows. Selenium's own types are half unknown, and end here."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def begin(self, url: str) -> None:
        """Go to a page, and do not wait for its end, if it has one."""
        self._browser.get(url)

    def open(self, url: str) -> None:
        """Go to a page, and wait until all of it is there."""
        self.begin(url)
        self.until("[location.href === new URL(arguments[0]).href, document.readyState]", [True, "complete"], url)

    def evaluate(self, expression: str, *arguments: object) -> Any:
        """Return the value of an expression, or that of its promise; `arguments` is what it is given."""
        return self._browser.execute_script(f"return {expression}", *arguments)

    def reload(self) -> None:
        """Load the page once more, and do not wait for it."""
        self._browser.refresh()

    def command(self, name: str, **parameters: object) -> Any:
        """Give a command of the Chrome DevTools Protocol; a test that needs it is one of Chromium alone."""
        if BROWSER != "chromium":
            pytest.skip(f"only Chromium has {name}")
        return self._browser.execute_cdp_cmd(name, parameters)

    def until(self, expression: str, expected: object, *arguments: object) -> None:
        """Wait until an expression has a value."""
        found: object = None

        def holds() -> bool:
            nonlocal found
            found = self.evaluate(expression, *arguments)
            return found == expected

        self.wait(holds, lambda: f"{expression} is not {expected!r}, but {found!r}")

    def wait(self, holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        """Wait until something holds.

        Raises:
            AssertionError: it did not, and `otherwise` says what did.
        """
        not_there_yet = [JavascriptException, NoSuchFrameException]  # the page
        waiting = WebDriverWait(self._browser, BOUND, 0.05, not_there_yet)
        try:
            waiting.until(lambda _: holds())
        except TimeoutException as error:
            raise AssertionError(otherwise()) from error

    def complaints(self) -> list[str]:
        """Return what Chromium has said since it was last asked: errors of scripts, and requests that failed."""
        if BROWSER != "chromium":
            return []
        return [entry["message"] for entry in self._browser.get_log("browser")]

    @contextmanager
    def tab(self) -> Generator[Page]:
        """Show a tab of its own, and close it."""
        first = self._browser.current_window_handle
        self._browser.switch_to.new_window("tab")
        try:
            yield Page(self._browser)
        finally:
            self._browser.close()
            self._browser.switch_to.window(first)

    def save_screenshot(self, path: Path) -> None:
        """Save what is seen, as PNG."""
        self._browser.save_screenshot(str(path))
