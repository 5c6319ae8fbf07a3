"""The demo's page: every panel advances, and to close the page is to close every generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from stream_adapter._demo import sources
from tests.demo.support import PATHS, Demo, running, wait_until_open
from tests.support.browser import Page
from tests.support.gate import BOUND

PANELS = [path.removeprefix("/") for path in PATHS]
END = {"text": sources.ANSWER[-20:], "csv": "140 of 140 rows", "download": "2,048 KiB, SHA-256 "}
"""What a panel shows once it has all of its stream."""


def of_panels(page: Page, expression: str) -> dict[str, Any]:
    """Evaluate an expression for each panel, as `panel`."""
    found: dict[str, Any] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-panel]')]"
        f".map((panel) => [panel.dataset.panel, {expression}]))",
    )
    return found


def counts(page: Page) -> dict[str, int]:
    return of_panels(page, "Number(panel.querySelector('.count').textContent)")


def states(page: Page) -> dict[str, str]:
    return of_panels(page, "panel.dataset.state")


def until(page: Page, holds: Callable[[], bool]) -> None:
    page.wait(holds, lambda: f"it stayed {states(page)} at {counts(page)}")


def until_all_stream_at_once(page: Page) -> None:
    """Restart the panels that have ended: on a busy machine one ends before another has begun."""

    def all_stream() -> bool:
        of_panels(page, "panel.dataset.state === 'done' && panel.querySelector('.restart').click()")
        return set(states(page).values()) == {"streaming"}

    until(page, all_stream)


def test_all_twelve_panels_advance_at_the_same_time(demo: Demo, page: Page) -> None:
    before, grown = dict[str, int](), Counter[str]()

    def every_panel_has_grown_twice() -> bool:
        now = counts(page)
        grown.update(panel for panel, count in now.items() if count > before.get(panel, count))
        before.update(now)
        return all(grown[panel] >= 2 for panel in PANELS)

    page.open(demo.url)
    until_all_stream_at_once(page)
    until(page, every_panel_has_grown_twice)

    assert before.keys() == set(PANELS)
    # the scene of a failure may have come to its end by now
    assert [line for line in page.complaints() if "/failing" not in line] == []


def test_finished_panels_show_the_same_result_in_each_column(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    until(page, lambda: sum(state == "done" for state in states(page).values()) == 9)

    shown = of_panels(page, "panel.querySelector('.view').innerText")
    by_kind = {kind: {shown[f"{name}/{kind}"] for name in ("flask", "django", "fastapi")} for kind in ("text", "csv")}
    downloads = {text for panel, text in shown.items() if panel.endswith("/download")}

    assert {kind: len(views) for kind, views in by_kind.items()} == {"text": 1, "csv": 1}
    assert END["csv"] in by_kind["csv"].pop()
    assert len(downloads) == 1
    assert downloads.pop().startswith(END["download"])
    assert {panel for panel, state in states(page).items() if state == "streaming"} == {
        "flask/events",
        "django/events",
        "fastapi/events",
    }


def test_restart_button_begins_the_stream_of_its_panel_from_zero(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    until(page, lambda: counts(page)["django/events"] >= 5)

    restarted = of_panels(page, "(panel.querySelector('.restart').click(), panel.querySelector('.count').textContent)")

    assert set(restarted.values()) == {"0"}
    until(page, lambda: counts(page)["django/events"] >= 5)
    assert states(page)["django/events"] == "streaming"


def test_leaving_the_page_closes_every_generator(demo: Demo, page: Page) -> None:
    with httpx2.Client(base_url=demo.url, timeout=BOUND) as client:
        wait_until_open(client, lambda count: count == 0)
        page.open(demo.url)
        until_all_stream_at_once(page)
        page.until("Number(document.querySelector('#open').textContent) > 0", True)

        page.open("about:blank")

        assert wait_until_open(client, lambda count: count == 0) == 0


def test_a_stream_that_breaks_off_is_an_error_and_never_done(page: Page) -> None:
    with running("--port", "0") as demo:
        page.open(demo.url)
        until_all_stream_at_once(page)
        demo.interrupt()

        until(page, lambda: "streaming" not in states(page).values())

    ended, shown = states(page), of_panels(page, "panel.querySelector('.view').innerText")
    assert {ended[panel] for panel in PANELS if panel.endswith("/events")} == {"connecting"}  # it tries again by itself
    assert "error" in ended.values()
    for panel in PANELS:  # on a busy machine one may have come to its end
        assert ended[panel] != "done" or END[panel.partition("/")[2]] in shown[panel]


@pytest.mark.parametrize("width", [360, 420, 768, 1100, 1400])
def test_no_width_needs_a_horizontal_scroll(demo: Demo, page: Page, width: int) -> None:
    page.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    page.open(demo.url)
    until(page, lambda: "connecting" not in states(page).values())

    assert page.evaluate("innerWidth") == width
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
