"""Django, configured for all of these tests, and the servers that some of them share."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import django
import pytest
from django.conf import settings

from tests.support.servers import Server, gunicorn, uvicorn

if not settings.configured:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.site.settings"
    django.setup()

from tests.django.support import ROWS  # it imports what needs the settings

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "tests.django.site.middleware.counts_rows",
    "stream_adapter_django.StreamAdapter",
]


@pytest.fixture(scope="package", params=["gunicorn", "uvicorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    database = tmp_path_factory.mktemp("database") / "rows.sqlite3"
    fill(database)
    with serve(request.param, str(database)) as running:
        yield running


def serve(name: str, database: str) -> AbstractContextManager[Server]:
    settings, middleware = "tests.django.site.settings", ",".join(MIDDLEWARE)
    if name == "gunicorn":
        return gunicorn(
            "tests.django.site.wsgi:application",
            DJANGO_SETTINGS_MODULE=settings,
            SITE_DATABASE=database,
            SITE_MIDDLEWARE=middleware,
            SITE_ATOMIC_REQUESTS="yes",
        )
    return uvicorn(
        "tests.django.site.asgi:application",
        "--lifespan",
        "off",
        DJANGO_SETTINGS_MODULE=settings,
        SITE_DATABASE=database,
        SITE_MIDDLEWARE=middleware,
        SITE_ATOMIC_REQUESTS="yes",
    )


def fill(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("CREATE TABLE site_row (id integer PRIMARY KEY AUTOINCREMENT, text varchar(20) NOT NULL)")
    connection.executemany("INSERT INTO site_row (text) VALUES (?)", [(f"row {number}",) for number in range(ROWS)])
    connection.commit()
    connection.close()
