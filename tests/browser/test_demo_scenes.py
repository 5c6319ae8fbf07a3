"""The demo's scenes: an answer outlives its page, a failure, a leave, a cut, and a server that is restarted."""

from __future__ import annotations

from contextlib import ExitStack

import httpx2
import pytest

from stream_adapter._demo import broker, sources
from tests.demo.support import FRAMEWORKS, Demo, running
from tests.support.browser import Page
from tests.support.gate import BOUND
from tests.support.stores import store

SCENES = ["answer", "failing", "leaving", "news"]


class Scene:
    """One scene of a page.

    Args:
        page: the page, or another tab.
        name: its name.
    """

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self._stage = f"document.querySelector('[data-scene={name}] .stage')"

    def text(self, selector: str = ".view") -> str:
        text: str = self._page.evaluate(f"{self._stage}.querySelector(arguments[0]).textContent", selector)
        return text

    def until(self, state: str) -> None:
        self._page.until(f"{self._stage}?.dataset.state", state)

    def until_longer(self, length: int, selector: str = ".view") -> None:
        self._page.until(
            f"{self._stage}.querySelector(arguments[0]).textContent.length > arguments[1]", True, selector, length
        )

    def until_number(self, selector: str, least: int) -> None:
        self._page.until(
            f"Number({self._stage}.querySelector(arguments[0]).textContent) >= arguments[1]", True, selector, least
        )

    def until_text(self, selector: str, start: str) -> None:
        self._page.until(
            f"{self._stage}.querySelector(arguments[0]).textContent.startsWith(arguments[1])", True, selector, start
        )

    def press(self, selector: str) -> None:
        self._page.evaluate(
            f"((button) => button.disabled || button.hidden ? false : (button.click(), true))"
            f"({self._stage}.querySelector(arguments[0]))",
            selector,
        )


def ask(url: str) -> None:
    """Have a new answer begin, so that what an earlier test has left is not the page's."""
    with httpx2.Client(base_url=url, timeout=BOUND) as client:
        old = client.post("/flask/answer").json()["run"]
        client.post(f"/flask/answer/{old}/stop")
        while client.post("/flask/answer").json()["run"] == old:  # it ends within a second
            pass


def lit(page: Page, scene: str) -> list[str]:
    lines: list[str] = page.evaluate(
        "[...document.querySelectorAll(`[data-scene=${arguments[0]}] .lit`)].map((line) => line.textContent.trim())",
        scene,
    )
    return lines


def test_page_without_an_answer_asks_for_one_and_a_reload_goes_on_with_it(page: Page) -> None:
    with running("--port", "0") as demo:
        page.open(demo.url)
        answer = Scene(page, "answer")
        answer.until_longer(20)
        before = answer.text()

        answer.press(".reload")
        page.until("performance.getEntriesByType('navigation')[0].type", "reload")
        answer.until("streaming")
        answer.until_longer(len(before))

        assert broker.ANSWER.startswith(before)
        assert broker.ANSWER.startswith(answer.text())
        answer.press(".stop")
        answer.until("stopped")


def stopped_text(page: Page) -> str:
    """Wait for the answer on a page, press its stop, and return the words that it has then."""
    answer = Scene(page, "answer")
    answer.until("streaming")
    answer.until_longer(20)
    answer.press(".stop")
    answer.until("stopped")
    return answer.text()


def test_second_tab_has_the_same_answer_and_its_stop_stops_both(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    ask(demo.url)
    answer = Scene(page, "answer")
    answer.until("streaming")
    answer.until_longer(20)
    with page.tab() as second:
        second.open(demo.url)
        text = stopped_text(second)
    answer.until("stopped")

    assert answer.text() == text
    assert broker.ANSWER.startswith(text)
    page.reload()
    page.until("performance.getEntriesByType('navigation')[0].type", "reload")
    answer.until("stopped")
    assert answer.text() == text


def test_another_framework_joins_the_answer_and_shows_its_code(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    ask(demo.url)
    answer = Scene(page, "answer")
    for framework in reversed(FRAMEWORKS):
        page.evaluate("document.querySelector(`[value=${arguments[0]}]`).click()", framework)
        answer.until("streaming")
        answer.until_longer(10)
        assert broker.ANSWER.startswith(answer.text())
        shown = page.evaluate(
            "[...document.querySelectorAll('.code .differs')].filter((line) => line.offsetParent)"
            ".map((line) => line.textContent)"
        )
        assert len(shown) == 8
        assert all(line.startswith(f"from stream_adapter_{framework} import ") for line in shown)
    answer.press(".stop")
    answer.until("stopped")


def test_panels_of_a_stream_show_the_line_that_differs_and_its_address(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    page.until("document.querySelectorAll('.import:not(:empty)').length", 12)

    shown = page.evaluate(
        "[...document.querySelectorAll('[data-scene=text] .panel code')].map((code) => code.textContent)"
    )
    assert [line.partition(" import ")[0] for line in shown[::2]] == [f"from stream_adapter_{it}" for it in FRAMEWORKS]
    assert shown[1::2] == [f"curl -N {demo.url}/{it}/text" for it in FRAMEWORKS]


def test_failure_keeps_the_answer_and_shows_no_text_of_the_exception(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    failing = Scene(page, "failing")
    failing.until("failed")

    assert failing.text() == sources.HALF
    assert '"status":500' in failing.text(".record")
    assert sources.INTERNAL not in page.evaluate("document.body.textContent")
    assert lit(page, "failing")[0].startswith("raise ")


def test_leaving_shows_the_finally_of_the_source(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    leaving = Scene(page, "leaving")
    leaving.until_number(".received", 3)
    page.until("document.querySelectorAll('[data-scene=leaving] .lit').length", 1)

    leaving.press(".leave")

    leaving.until_text(".closed", "ran at ")
    assert int(leaving.text(".closed").removeprefix("ran at ")) >= int(leaving.text(".received"))
    assert lit(page, "leaving")[0] == "finally:"
    leaving.press(".return")
    leaving.until("streaming")
    leaving.until_number(".received", 1)


def test_cut_connection_goes_on_after_its_last_event(demo: Demo, page: Page) -> None:
    page.open(demo.url)
    news = Scene(page, "news")
    news.until_number(".received", 3)

    news.press(".cut")
    news.until("cut")
    received = int(news.text(".received"))
    news.until("streaming")
    news.until_number(".received", received + 12)

    assert page.evaluate("document.querySelectorAll('.numbers .late').length") >= 8
    assert page.evaluate("document.querySelectorAll('.numbers .cursor').length") == 1
    assert (news.text(".lost"), news.text(".repeated")) == ("0", "0")


def test_open_page_survives_a_restart_of_the_server(page: Page) -> None:
    with running("--port", "0") as demo:
        page.open(demo.url)
        scenes = {name: Scene(page, name) for name in SCENES}
        scenes["answer"].until_longer(10)
        scenes["news"].until_number(".received", 3)
        text = scenes["answer"].text()
        demo.interrupt()
        page.until("document.documentElement.dataset.server", "away")
        port = str(httpx2.URL(demo.url).port)

    with running("--port", port):
        page.until("document.documentElement.dataset.server", "there")
        page.until("document.querySelectorAll('.numbers .reset').length", 1)
        scenes["news"].until("streaming")
        scenes["news"].until_number(".received", 3)
        scenes["leaving"].until("streaming")
        page.until("document.querySelectorAll('[data-kind=events][data-state=streaming]').length", 3)
        scenes["answer"].until("gone")  # it was in the memory of the server that has ended

        assert (scenes["news"].text(".lost"), scenes["news"].text(".repeated")) == ("0", "0")
        assert scenes["answer"].text().startswith(text)
        scenes["answer"].press(".ask")
        scenes["answer"].until("streaming")


ONE_ORIGIN = """{
  const real = fetch;
  window.fetch = (url, ...rest) => (url === "ports" ? Promise.resolve(new Response("{}")) : real(url, ...rest));
}"""
"""What a page sees through a tunnel: its own address, and no further port."""


def test_page_on_one_origin_has_a_connection_left_for_stop(demo: Demo, page: Page) -> None:
    script = page.command("Page.addScriptToEvaluateOnNewDocument", source=ONE_ORIGIN)
    try:
        page.open(demo.url)
        ask(demo.url)
        scenes = {name: Scene(page, name) for name in SCENES}
        for name in ("answer", "news", "leaving"):
            scenes[name].until("streaming")
        scenes["failing"].until("failed")
        page.evaluate("document.querySelector('[data-panel=\"fastapi/events\"] .restart').click()")
        page.until("document.querySelector('[data-panel=\"fastapi/events\"]').dataset.state", "streaming")
        assert page.evaluate("document.querySelectorAll('.panel[data-state=streaming]').length") == 1

        scenes["answer"].until_longer(20)
        scenes["answer"].press(".stop")
        scenes["answer"].until("stopped")
    finally:
        page.command("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


def test_answer_of_one_process_is_shown_and_stopped_at_another(page: Page) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(store("redis"))
        one, other = (stack.enter_context(running("--port", "0", "--broker", url)) for _ in range(2))
        page.open(one.url)
        first = Scene(page, "answer")
        first.until_longer(20)
        with page.tab() as tab:
            tab.open(other.url)
            text = stopped_text(tab)
        first.until("stopped")
        assert first.text() == text
        page.open("about:blank")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_scenes_fit_the_viewport_with_readable_contrast(demo: Demo, page: Page, width: int, scheme: str) -> None:
    page.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.open(demo.url)
    page.until("document.querySelectorAll('.code pre').length", 8 * 4)
    Scene(page, "news").until("streaming")

    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.evaluate(LOW_CONTRAST) == []
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")


LOW_CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (colour) => {
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll("main *")].filter((element) => {
    if (!element.offsetParent || element.closest(":disabled")) return false;
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) return false;
    const grounds = [];
    for (let up = element; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
    const colours = [over(grounds), over([...grounds, getComputedStyle(element).color])].map(luminance);
    return (Math.max(...colours) + 0.05) / (Math.min(...colours) + 0.05) < 4.5;
  }).map((element) => `${element.className} ${element.textContent}`);
})()"""
"""What has less contrast with its ground than 4.5 to 1, as WCAG 2 asks of text."""
