"""The chat example in a real browser: an answer survives a reload and a second tab, is stopped, fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from tests.support.browser import Page
from tests.support.servers import Server, gunicorn, uvicorn

ANSWER = "This answer is written once , by one worker . Reload , open a second tab , or press stop . "
WHOLE = ANSWER * 2
SERVERS: dict[str, Callable[[str], AbstractContextManager[Server]]] = {
    "fastapi": lambda folder: uvicorn("examples.chat.fastapi_app:app", CHAT_FOLDER=folder, CHAT_DELAY="0.05"),
    "flask": lambda folder: gunicorn(
        "examples.chat.flask_app:app", "--workers", "2", CHAT_FOLDER=folder, CHAT_DELAY="0.05"
    ),
    "django-wsgi": lambda folder: gunicorn(
        "examples.chat.django_app:wsgi", "--workers", "2", CHAT_FOLDER=folder, CHAT_DELAY="0.05"
    ),
    "django-asgi": lambda folder: uvicorn(
        "examples.chat.django_app:asgi", "--lifespan", "off", CHAT_FOLDER=folder, CHAT_DELAY="0.05"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chat")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    with SERVERS[request.param](str(folder)) as server:
        yield server


@pytest.fixture
def chat(page: Page, server: Server) -> Page:
    """Open a new chat."""
    page.open(f"{server.url}/#{uuid4()}")
    page.until("!!document.getElementById('form')", expected=True)
    return page


def say(page: Page, text: str) -> None:
    page.evaluate(
        "(document.getElementById('text').value = arguments[0], document.getElementById('form').requestSubmit(), true)",
        text,
    )
    page.until("document.querySelectorAll('article.assistant').length > 0", expected=True)


TEXT = "document.querySelector('article.assistant:last-of-type').firstChild.data"
STATUS = "document.querySelector('article.assistant:last-of-type').classList[1]"


def test_answer_survives_a_reload_and_a_second_tab_shows_the_same(chat: Page) -> None:
    say(chat, "hello")
    chat.until(f"{TEXT}.length > 10", expected=True)
    address = chat.evaluate("location.href")
    chat.reload()
    with chat.tab() as second:
        second.open(address)
        second.until(STATUS, "done")
        assert second.evaluate(TEXT) == WHOLE
    chat.until(STATUS, "done")
    assert chat.evaluate(TEXT) == WHOLE
    assert chat.evaluate("document.querySelectorAll('article').length") == 2


def test_stop_ends_the_answer_and_keeps_what_was_written(chat: Page) -> None:
    say(chat, "hello")
    chat.until("document.getElementById('stop').disabled", expected=False)
    chat.evaluate("(document.getElementById('stop').click(), true)")
    chat.until(STATUS, "stopped")
    text = chat.evaluate(TEXT)
    assert WHOLE.startswith(text)
    assert text != WHOLE
    chat.reload()
    chat.until(f"[document.readyState, {STATUS}]", ["complete", "stopped"])
    assert WHOLE.startswith(chat.evaluate(TEXT))


def test_failure_of_the_model_is_shown_without_its_text(chat: Page) -> None:
    say(chat, "please fail")
    chat.until(STATUS, "failed")
    assert chat.evaluate(TEXT) == "This answer is written once "
    assert "model is not there" not in chat.evaluate("document.body.textContent")
    chat.reload()
    chat.until(f"[document.readyState, {STATUS}]", ["complete", "failed"])
    assert chat.evaluate(TEXT) == "This answer is written once "


def test_answer_of_a_worker_that_was_killed_is_shown_as_failed(chat: Page, server: Server, folder: Path) -> None:
    name = chat.evaluate("location.hash.slice(1)")
    with closing(sqlite3.connect(folder / "messages.db")) as connection, connection:
        connection.execute("INSERT INTO messages VALUES (?, 1, 'user', 'hello', 'done')", (name,))
        connection.execute("INSERT INTO messages VALUES (?, 2, 'assistant', '', 'running')", (name,))
    chat.reload()
    chat.until(STATUS, "failed")


def test_chat_of_another_owner_is_answered_404(chat: Page, server: Server) -> None:
    say(chat, "hello")
    name = chat.evaluate("location.hash.slice(1)")
    for path in ("messages", "messages/2/stream", "news"):
        answer = httpx2.get(f"{server.url}/chats/{name}/{path}", cookies={"owner": "another"}, timeout=30)
        assert answer.status_code == 404
    chat.until(STATUS, "done")
