"""A real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import JavascriptException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.gate import BOUND
from tests.support.programs import CHROMEDRIVER, CHROMIUM

__all__ = ["Page", "chromium", "needs_chromium"]

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

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM.path and CHROMEDRIVER.path), reason="chromium and its chromedriver are not installed"
)


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

    def command(self, name: str, **parameters: object) -> Any:
        """Give a command of the Chrome DevTools Protocol."""
        return self._browser.execute_cdp_cmd(name, parameters)

    def until(self, expression: str, expected: object, *arguments: object) -> None:
        """Wait until an expression has a value."""
        found: object = None

        def holds() -> bool:
            nonlocal found
            found = self.evaluate(expression, *arguments)
            return found == expected

        self.wait(holds, lambda: f"{expression} is not {json.dumps(expected)}, but {json.dumps(found)}")

    def wait(self, holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        """Wait until something holds.

        Raises:
            AssertionError: it did not, and `otherwise` says what did.
        """
        waiting = WebDriverWait(self._browser, BOUND, 0.05, [JavascriptException])  # a page that is not there yet
        try:
            waiting.until(lambda _: holds())
        except TimeoutException as error:
            raise AssertionError(otherwise()) from error

    def complaints(self) -> list[str]:
        """Return what the browser has said since it was last asked: errors of scripts, and requests that failed."""
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
