"""Unchanged applications of four frameworks, through real servers: the faults that they have, and lose."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.faults.client import Client
from tests.faults.harness import MIB, Host, Subject, run
from tests.support import servers

BARE = "bare"  # as in tests/faults/apps/mending.py, which only an application under test can import
UVICORN = [
    Host("uvicorn", framework, servers.uvicorn, app, ())
    for framework, app in {
        "Starlette": "unchanged_starlette:app",
        "FastAPI": "unchanged_fastapi:app",
        "Django": "unchanged_django:asgi",
    }.items()
]
GTHREAD = [
    Host("gthread", framework, servers.gunicorn, app, ())
    for framework, app in {"Flask": "unchanged_flask:app", "Django": "unchanged_django:wsgi"}.items()
]
OTHERS = [
    Host("hypercorn", "Starlette", servers.hypercorn, "unchanged_starlette:app", ("--workers", "0")),
    Host("granian", "Starlette", servers.granian, "unchanged_starlette:app", ()),
]
HOSTS = [*UVICORN, *GTHREAD, *(pytest.param(host, marks=pytest.mark.servers) for host in OTHERS)]
BEGINS = {"ticking": b"tick", "rows": b"a row", "fast": bytes(100)}
LAZY = UVICORN[-1]
# Django reads what is of the other kind before the middleware sees it
WAY = {"uvicorn": "async", "hypercorn": "async", "granian": "async", "gthread": "sync"}


@pytest.fixture(scope="module", params=HOSTS, ids=lambda host: host.name)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Subject, Host]]:
    host: Host = request.param
    with run(host) as subject:
        yield subject, host


@pytest.fixture
def subject(served: tuple[Subject, Host]) -> Iterator[Subject]:
    subject, host = served
    if host == LAZY:
        subject.probe.closed = subject.probe.opened
    subject.probe.reset()
    yield subject
    subject.leave()


@pytest.fixture
def way(served: tuple[Subject, Host]) -> str:
    return WAY[served[1].server]


@pytest.fixture
def host(served: tuple[Subject, Host]) -> Host:
    return served[1]


@pytest.fixture
def only_asgi(way: str) -> None:
    if way == "sync":
        pytest.skip("a WSGI server waits for the first chunk, and has a thread for each stream")


@pytest.mark.usefixtures("only_asgi")
def test_an_early_error_is_a_500_and_was_a_broken_200(subject: Subject, way: str, host: Host) -> None:
    if host.server != "granian":  # which waits for the first part by itself
        assert subject.stream("failing", way, BARE).read_to_the_end().status == 200
    assert subject.stream("failing", way).read_to_the_end().status == 500


def test_a_late_error_breaks_the_connection(subject: Subject, way: str) -> None:
    client = subject.stream("raising", way).read_to_the_end()
    assert (client.status, client.complete, b"two," in client.received) == (200, False, True)
    assert b"a secret" not in client.received
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"error": 1}


@pytest.mark.parametrize("name", ["ticking", "rows", "fast"])
@pytest.mark.parametrize("leave", [Client.reset, Client.finish], ids=["RST", "FIN"])
def test_client_disconnect_closes_the_source(
    subject: Subject, way: str, name: str, leave: Callable[[Client], float], host: Host
) -> None:
    if host == LAZY and name != "ticking":
        pytest.skip("Django keeps a body that it left at a yield in a cycle of its own, until it is collected")
    client = subject.stream(name, way).read_until(BEGINS[name])
    leave(client)
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}


@pytest.mark.usefixtures("only_asgi")
def test_client_disconnect_closes_a_silent_source(subject: Subject, way: str) -> None:
    subject.stream("idle", way).read_until(b"first").reset()
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}


@pytest.mark.usefixtures("only_asgi")
def test_other_clients_are_served_while_one_client_stalls(subject: Subject, way: str, host: Host) -> None:
    client = subject.stream("rows", way).read(MIB)
    subject.hello()
    subject.wait_level()
    subject.hello()
    client.reset()
    subject.hello()
    subject.probe.wait(lambda it: it.reasons == {"disconnect": 1} and (host == LAZY or it.closed))


@pytest.mark.parametrize("reason", ["idle_timeout", "total_timeout"])
def test_passed_deadline_breaks_the_stream_and_closes_its_source(subject: Subject, way: str, reason: str) -> None:
    client = subject.stream("idle", way, reason).read_to_the_end()
    assert not client.complete
    subject.probe.wait(lambda it: it.reasons == {reason: 1})
    subject.probe.release()
    subject.probe.wait_all_closed(1)


@pytest.mark.usefixtures("only_asgi")
def test_client_that_reads_nothing_is_disconnected_after_send_timeout(subject: Subject, way: str, host: Host) -> None:
    client = subject.stream("fast", way, "send_timeout").read(65536)
    subject.probe.wait(lambda it: it.reasons == {"send_timeout": 1} and (host == LAZY or it.closed))
    assert not client.read_to_the_end().complete


def test_finite_stream_has_the_same_bytes_with_and_without_the_middleware(subject: Subject, way: str) -> None:
    bare, mended = (subject.stream("finite", way, options).read_to_the_end() for options in (BARE, "unlimited"))
    assert bare.complete
    assert mended.complete
    assert bare.received.count(b"a row of") == mended.received.count(b"a row of") == 100


@pytest.mark.servers
def test_one_client_stops_all_others_in_starlette_without_the_middleware() -> None:
    with contextlib.suppress(AssertionError), run(UVICORN[0]) as subject:  # it does not end in form, either
        subject.stream("rows", "async", BARE).read(MIB).reset()
        other = socket.create_connection(("127.0.0.1", subject.server.port), 2)
        other.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with other, pytest.raises(TimeoutError):  # two seconds are not a proof, but far more than it takes otherwise
            other.recv(1)
