from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from flask import Flask, has_app_context, has_request_context

from tests.flask.journal import Journal


@pytest.fixture(autouse=True)
def without_the_garbage_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def no_context_is_left_behind() -> Iterator[None]:
    yield
    assert not has_request_context()
    assert not has_app_context()


@pytest.fixture
def app() -> Flask:
    app = Flask("tests")
    app.secret_key = "a key"
    return app


@pytest.fixture
def journal(app: Flask) -> Journal:
    journal = Journal()

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        journal.append(f"teardown of {type(error).__name__}")

    @app.teardown_appcontext
    def app_teardown(error: BaseException | None) -> None:
        journal.append(f"app teardown of {type(error).__name__}")

    return journal
