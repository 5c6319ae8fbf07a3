"""The package: its example runs as it stands, and it offers what it says."""

from __future__ import annotations

import textwrap
from typing import Any

import stream_adapter_fastapi
from tests.fastapi.support import strict_client_of


def test_the_example_in_the_docstring_runs_as_it_stands() -> None:
    lines = (stream_adapter_fastapi.__doc__ or "").splitlines()
    example = "\n".join(line for line in lines if line.startswith("    ") or not line)
    namespace: dict[str, Any] = {}

    exec(textwrap.dedent(example), namespace)

    assert strict_client_of(namespace["app"]).get("/rows").text == "one\ntwo\n"


def test_the_public_names_are_there() -> None:
    public = {"Stream", "StreamAdapter", "StreamResponse", "StreamRouter", "stream_response", "streaming"}

    assert set(stream_adapter_fastapi.__all__) == public
    assert public <= vars(stream_adapter_fastapi).keys()
