"""A client names the address of another in a header that the server believes."""

from __future__ import annotations

import contextlib

import pytest

from stream_adapter.integration import RequestHead
from tests.support.servers import uvicorn

REQUEST = "GET %s HTTP/%s\r\nHost: a\r\nX-Forwarded-For: %s\r\n\r\n"


def test_failure_of_one_stream_does_not_reset_the_connection_that_its_client_names() -> None:
    with uvicorn("tests.security.apps.failing:app") as server:
        waiting = server.connect(b"GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n")
        with waiting, waiting.makefile("rb") as lines:
            while lines.readline() != b"one\n":
                pass
            host, port = waiting.getsockname()

            failing = server.connect((REQUEST % ("/failing", "1.0", f"{host}:{port}")).encode())
            with failing, contextlib.suppress(ConnectionResetError):
                while failing.recv(1000):
                    pass

            with server.connect(b"GET /release HTTP/1.1\r\nHost: a\r\n\r\n") as released:
                assert released.recv(1000)
            assert b"two\n" in list(iter(lines.readline, b"0\r\n"))


@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"forwarded"])
@pytest.mark.parametrize("value", [b"127.0.0.1:1", b"", b"1" * 10_000])
def test_address_that_a_header_may_have_named_is_not_that_of_the_connection(name: bytes, value: bytes) -> None:
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(name, value)]}
    assert RequestHead.from_scope(scope).peer is None
    assert RequestHead.from_scope({**scope, "headers": []}).peer == ("127.0.0.1", 1)
