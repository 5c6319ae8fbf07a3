"""The package: its example runs as it stands, and it offers what it says."""

from __future__ import annotations

import textwrap
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import fastapi.routing
import pytest

import stream_adapter_fastapi
from tests.fastapi.support import strict_client_of


def test_the_example_in_the_docstring_runs_as_it_stands() -> None:
    lines = (stream_adapter_fastapi.__doc__ or "").splitlines()
    example = "\n".join(line for line in lines if line.startswith("    ") or not line)
    namespace: dict[str, Any] = {}

    exec(textwrap.dedent(example), namespace)

    assert strict_client_of(namespace["app"]).get("/rows").text == "one\ntwo\n"


def test_public_names_are_importable() -> None:
    public = {"Stream", "StreamAdapter", "StreamResponse", "StreamRouter", "stream_response", "streaming"}

    assert set(stream_adapter_fastapi.__all__) == public
    assert public <= vars(stream_adapter_fastapi).keys()


def test_import_error_names_the_supported_versions_of_fastapi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = Path(stream_adapter_fastapi.__file__).with_name("_compat.py")
    spec = spec_from_file_location("stream_adapter_fastapi._other_compat", path)
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.delattr(fastapi.routing, "iter_route_contexts")

    with pytest.raises(ImportError, match=r"supports FastAPI 0\.138 and later, .* FastAPI [0-9.]+ is installed"):
        spec.loader.exec_module(module_from_spec(spec))
