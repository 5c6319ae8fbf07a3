"""Former names of the integration contract, which this version still accepts."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import copy_context
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.integration import AsyncBody, Connection, Hooks, Host, SyncBody


def test_host_maps_its_former_fields_to_those_of_hooks() -> None:
    context, connection = copy_context(), Connection()
    host = Host(
        submit=id,
        thread_exit=int,
        around=nullcontext,
        enter=float,
        rests=True,
        connection=connection,
        stopping=str,
        context=context,
        left=list,
    )
    assert isinstance(host, Hooks)
    expected = Hooks(
        submit=id,
        on_thread_exit=int,
        async_context=nullcontext,
        on_open=float,
        prefetch=1,
        connection=connection,
        on_stopping=str,
        context=context,
        on_stuck=list,
    )
    names = Hooks.__dataclass_fields__
    assert {name: getattr(host, name) for name in names} == {name: getattr(expected, name) for name in names}


def test_host_without_arguments_sets_no_hook() -> None:
    assert all(getattr(Host(), name) is None for name in Hooks.__dataclass_fields__)


@pytest.mark.parametrize("cls", [SyncBody, AsyncBody])
@pytest.mark.parametrize("content", [b"all", iter([b"a"])])
def test_body_keeps_its_former_names(cls: type[Any], content: object) -> None:
    body = cls(sa.Response(content).resolve())
    assert (body.waits, body.is_inert) == (body.is_streaming, body.is_noop)


def test_connection_keeps_its_former_names() -> None:
    calls: list[tuple[bool, float]] = []

    class Recorded(Connection):
        def abort(self, *, framed: bool, grace: float) -> None:
            calls.append((framed, grace))

    Recorded().break_off(framed=True, delivery=1.5)
    assert calls == [(True, 1.5)]
    assert Connection.gone is Connection.is_disconnected
