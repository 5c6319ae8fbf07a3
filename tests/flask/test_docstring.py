"""What the package's docstring shows, as it stands."""

from __future__ import annotations

import textwrap
from typing import Any

import stream_adapter_flask


def test_example_of_the_package_docstring_runs() -> None:
    lines = (stream_adapter_flask.__doc__ or "").splitlines()
    code = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ") or not line))
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    response = names["app"].test_client().get("/")
    assert response.text == "".join(f"{number} for 127.0.0.1<br>" for number in range(5))


def test_public_names_are_importable() -> None:
    for name in stream_adapter_flask.__all__:
        assert getattr(stream_adapter_flask, name).__doc__
