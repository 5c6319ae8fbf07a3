"""What an operator reads in the log of a server: one report for one failure, and none for a client that leaves."""

from __future__ import annotations

import pytest

from .harness import Host, Subject
from .hosts import ASGI, BY_DEFAULT, FURTHER_WSGI, HOSTS, WSGI, marks, on

_ERRORS = ("Traceback", "ERROR", "Error", "rror in ASGI", "No response returned")
# uWSGI itself adds a line for each write that fails
_SHOWN = [host for host in WSGI + FURTHER_WSGI if host.framework != "to_wsgi" and host.server != "uwsgi"]
FAILED = "failed after the response started (2 items, 8 bytes); closing the connection"

_BEHIND_TWO = [
    Host(host.server, "two middlewares", host.serve, "plain_asgi:behind_two", host.options)
    for host in ASGI
    if host.framework == "middleware"
]
_WITH_TWO = [*HOSTS, *_BEHIND_TWO]
_RUN_BY_DEFAULT = BY_DEFAULT | {"uvicorn-middleware", "uvicorn-two middlewares"}


def _on(hosts: list[Host], ways: tuple[str, ...]) -> pytest.MarkDecorator:
    """Run on each host, by default on more than other tests: behind middlewares as well."""
    return pytest.mark.parametrize(
        ("host", "way"),
        [
            pytest.param(host, way, id=f"{host.name}-{way}", marks=[] if host.name in _RUN_BY_DEFAULT else marks(host))
            for host in hosts
            for way in ways
            if (host.server, way) != ("gevent", "async")
        ],
    )


def log_since(subject: Subject, start: int) -> str:
    """Return what the server has logged, once it has answered another request."""
    subject.hello()
    return subject.server.log()[start:]


@_on([*ASGI, *_BEHIND_TWO], ("async",))
def test_client_that_leaves_before_the_first_item_is_not_an_error(subject: Subject, way: str) -> None:
    start = len(subject.server.log())
    client = subject.stream("tardy", way)
    subject.probe.wait(lambda it: it.opened == 1)
    client.reset()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}
    log = log_since(subject, start)
    assert not [word for word in _ERRORS if word in log], log


@on([host for host in HOSTS if host.framework != "Flask"])
def test_client_that_leaves_in_the_middle_is_not_an_error(subject: Subject, way: str) -> None:
    start = len(subject.server.log())
    client = subject.stream("ticking", way).read_until(b"tick")
    client.reset()
    subject.probe.wait_all_closed(1)
    log = log_since(subject, start)
    assert not [word for word in _ERRORS if word in log], log


@on([host for host in HOSTS if host in WSGI])
def test_silent_client_that_leaves_is_not_an_error(subject: Subject, way: str) -> None:
    start = len(subject.server.log())
    client = subject.stream("empty" if way == "sync" else "idle", way).read_until(b"first")
    client.reset()
    subject.probe.wait(lambda it: it.reasons == {"disconnect": 1})
    log = log_since(subject, start)
    assert not [word for word in _ERRORS if word in log], log


@on(_SHOWN)
def test_send_timeout_logs_one_line_at_info(subject: Subject, way: str) -> None:
    start = len(subject.server.log())
    subject.stream("fast", way, "send_timeout").read(65536)
    subject.probe.wait(lambda it: it.reasons == {"send_timeout": 1})
    log = log_since(subject, start)
    assert not [word for word in _ERRORS if word in log], log


# Last: the server may write its own record of these failures after the test, and each host has one server for all.


@_on(HOSTS, ("sync", "async"))
def test_refusal_after_the_head_was_sent_breaks_the_response_as_any_failure(subject: Subject, way: str) -> None:
    start = len(subject.server.log())
    client = subject.stream("refusing_late", way).read_to_the_end()
    subject.probe.wait(lambda it: it.reasons == {"error": 1})
    assert client.status == 200
    assert client.received.count(b"HTTP/1.1") == 1
    assert not client.complete
    log = log_since(subject, start)
    assert log.count(FAILED) == 1
    assert "already started" not in log
    assert "http.response.start" not in log


@_on(_WITH_TWO, ("sync", "async"))
def test_failure_is_reported_once_by_the_library_and_by_its_own_exception(subject: Subject, way: str) -> None:
    start = len(subject.server.log())
    client = subject.stream("raising", way).read_to_the_end()
    subject.probe.wait_all_closed(1)
    assert not client.complete
    log = log_since(subject, start)
    source = "generator sync_raising" if way == "sync" else "async generator async_raising"
    if "application" not in log:  # by `to_asgi` and `to_wsgi` the source is the application
        assert log.count(f"GET /stream/raising/{way}/unlimited ({source}): {FAILED}") == 1
    assert log.count(FAILED) == 1
    shown_again = log.count("ExceptionGroup: unhandled errors")  # Django 6.1 raises it out of a TaskGroup's group
    tracebacks = [each for each in log.split("Traceback (most recent call last)") if f"in {way}_raising" in each]
    shown = sum(each.count("LookupError: a secret") for each in tracebacks)  # a server may log the test before it late
    assert 1 <= shown <= 2 + shown_again, "the server's own record is the other"
    assert "TypeError" not in log
    assert "_Broken" not in log
    assert log.count("During handling of the above exception") == shown_again
