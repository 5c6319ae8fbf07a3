"""The AI SDK's `useChat({resume: true})` in a browser, before examples/ai_resume.py."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import httpx2
import pytest
from selenium.webdriver import Chrome

from tests.support.browser import Page, chromium, needs_chromium
from tests.support.gate import BOUND
from tests.support.node import USE_CHAT, bundle, install
from tests.support.servers import Server, uvicorn

pytestmark = needs_chromium

PROMPT = " ".join(f"word{number}" for number in range(60))  # three seconds
NO_MESSAGES: list[object] = []
ENDLESS = "word " * 2000
TEXT = "(state.messages.findLast(([role]) => role === 'assistant')?.[1] ?? '')"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = bundle(install(tmp_path_factory.mktemp("use_chat"), USE_CHAT), "page.mjs")
    with uvicorn("tests.clients.use_chat_app:app", BUNDLE=str(script)) as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def chat(browser: Chrome, server: Server) -> Iterator[Page]:
    """Open a chat of its own."""
    page = Page(browser)
    page.open(f"{server.url}/#{uuid4()}")
    page.until("state.status", "ready")
    yield page
    page.open("about:blank")


def _say(chat: Page, text: str) -> None:
    chat.evaluate("(chat.say(arguments[0]), true)", text)
    chat.until(f"{TEXT}.length > 20", expected=True)


def _reload(chat: Page) -> None:
    chat.evaluate("(window.old = true)")
    chat.reload()
    chat.until("typeof old === 'undefined' && typeof state === 'object'", expected=True)


def test_answer_goes_on_from_its_start_after_a_reload_in_mid_answer(chat: Page) -> None:
    _say(chat, PROMPT)
    assert chat.evaluate("state.status") == "streaming"
    _reload(chat)
    chat.until(f"[state.status, {TEXT}]", ["ready", f"{PROMPT} "])
    assert chat.evaluate("state.messages") == [["assistant", f"{PROMPT} "]]
    _reload(chat)  # there is not an active answer any more: 204
    chat.until("[state.status, state.messages]", ["ready", NO_MESSAGES])


def test_client_that_stops_reading_stops_nothing_and_the_stop_endpoint_does(chat: Page, server: Server) -> None:
    _say(chat, ENDLESS)
    chat.evaluate("(chat.stop(), true)")
    chat.until("state.status", "ready")
    _reload(chat)
    chat.until(f"{TEXT}.length > 20 && state.status", "streaming")
    chat_id = chat.evaluate("location.hash.slice(1)")
    stopped = httpx2.post(f"{server.url}/api/chat/{chat_id}/stop", timeout=BOUND)
    assert stopped.json() == {"stopped": True}
    chat.until("state.status", "error")
    assert ENDLESS.startswith(chat.evaluate(TEXT))
    _reload(chat)
    chat.until("[state.status, state.error, state.messages]", ["ready", None, NO_MESSAGES])
