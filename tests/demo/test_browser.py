"""The demo's page in a real browser: every panel advances, and to close the page is to close every generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.demo.support import PATHS, Demo, running, wait_until_open
from tests.support.browser import chromium, needs_chromium
from tests.support.gate import BOUND

pytestmark = needs_chromium

PANELS = [path.removeprefix("/") for path in PATHS]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running("--port", "0") as demo:
        yield demo


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(started: Chrome) -> Iterator[Chrome]:
    yield started
    started.get("about:blank")  # which closes the streams of the page that a test has opened
    started.get_log("browser")  # type: ignore[no-untyped-call]  # forgets what it has said


def evaluate(browser: Any, script: str) -> Any:  # selenium's own types are half unknown
    return browser.execute_script(f"return {script}")


def of_panels(browser: Chrome, script: str) -> dict[str, Any]:
    """Evaluate `script` for each panel, as `panel`."""
    found: dict[str, Any] = evaluate(
        browser,
        "Object.fromEntries([...document.querySelectorAll('[data-panel]')]"
        f".map((panel) => [panel.dataset.panel, {script}]))",
    )
    return found


def counts(browser: Chrome) -> dict[str, int]:
    return of_panels(browser, "Number(panel.querySelector('.count').textContent)")


def states(browser: Chrome) -> dict[str, str]:
    return of_panels(browser, "panel.dataset.state")


def until(browser: Chrome, holds: Callable[[Chrome], bool]) -> None:
    try:
        WebDriverWait(browser, BOUND, poll_frequency=0.05).until(holds)
    except TimeoutException as error:
        raise AssertionError(f"it stayed {states(browser)} at {counts(browser)}") from error


def test_all_twelve_panels_advance_at_the_same_time(demo: Demo, browser: Chrome) -> None:
    before, grown = dict[str, int](), Counter[str]()
    at_once = 0

    def every_panel_has_grown_twice(browser: Chrome) -> bool:
        nonlocal at_once
        now = counts(browser)
        grown.update(panel for panel, count in now.items() if count > before.get(panel, count))
        before.update(now)
        at_once = max(at_once, sum(state == "streaming" for state in states(browser).values()))
        return all(grown[panel] >= 2 for panel in PANELS)

    browser.get(demo.url)
    until(browser, every_panel_has_grown_twice)

    assert before.keys() == set(PANELS)
    assert at_once == len(PANELS)
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium's


def test_what_ends_is_done_with_the_same_result_in_each_column(demo: Demo, browser: Chrome) -> None:
    browser.get(demo.url)
    until(browser, lambda browser: sum(state == "done" for state in states(browser).values()) == 9)

    shown = of_panels(browser, "panel.querySelector('.view').innerText")
    by_kind = {kind: {shown[f"{name}/{kind}"] for name in ("flask", "django", "fastapi")} for kind in ("text", "csv")}
    downloads = {text for panel, text in shown.items() if panel.endswith("/download")}

    assert {kind: len(views) for kind, views in by_kind.items()} == {"text": 1, "csv": 1}
    assert "140 of 140 rows" in by_kind["csv"].pop()
    assert len(downloads) == 1
    assert downloads.pop().startswith("2,048 KiB, SHA-256 ")
    assert {panel for panel, state in states(browser).items() if state == "streaming"} == {
        "flask/events",
        "django/events",
        "fastapi/events",
    }


def test_restart_begins_a_panel_anew(demo: Demo, browser: Chrome) -> None:
    browser.get(demo.url)
    until(browser, lambda browser: counts(browser)["django/events"] >= 5)

    restarted = of_panels(
        browser, "(panel.querySelector('.restart').click(), panel.querySelector('.count').textContent)"
    )

    assert set(restarted.values()) == {"0"}
    until(browser, lambda browser: counts(browser)["django/events"] >= 5)
    assert states(browser)["django/events"] == "streaming"


def test_to_leave_the_page_closes_every_generator_on_the_server(demo: Demo, browser: Chrome) -> None:
    with httpx.Client(base_url=demo.url, timeout=BOUND) as client:
        wait_until_open(client, lambda count: count == 0)
        browser.get(demo.url)
        assert wait_until_open(client, lambda count: count == len(PANELS)) == len(PANELS)
        until(browser, lambda browser: evaluate(browser, "document.querySelector('#open').textContent") == "12")

        browser.get("about:blank")

        assert wait_until_open(client, lambda count: count == 0) == 0


def test_a_stream_that_breaks_off_is_an_error_and_never_done(browser: Chrome) -> None:
    with running("--port", "0") as demo:
        browser.get(demo.url)
        until(browser, lambda browser: set(states(browser).values()) == {"streaming"})
        demo.interrupt()

        until(browser, lambda browser: "streaming" not in states(browser).values())

    ended = {panel: "connecting" if panel.endswith("/events") else "error" for panel in PANELS}
    assert states(browser) == ended  # an EventSource tries again by itself


@pytest.mark.parametrize("width", [360, 420, 768, 1100, 1400])
def test_no_width_needs_a_horizontal_scroll(demo: Demo, browser: Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)  # pyright: ignore[reportUnknownMemberType]  # selenium's
    browser.get(demo.url)
    until(browser, lambda browser: "connecting" not in states(browser).values())

    page = "document.documentElement"
    assert evaluate(browser, "innerWidth") == width
    assert evaluate(browser, f"{page}.scrollWidth - {page}.clientWidth") == 0
