"""A parser of JSON text sequences, after RFC 7464 and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any


class TruncatedError(ValueError):
    """An element that is cut short: the RFC wants it reported (2.3), and bare numbers need their LF (2.4)."""


def json_seq_of(pieces: Iterable[bytes]) -> Iterator[Any]:
    """Yield the values of a sequence that comes in pieces, each as soon as the next begins."""
    before = b""
    begun = False
    for piece in pieces:
        first, *others = piece.split(b"\x1e")
        before += first
        for other in others:
            if begun and before:
                yield _value(before)
            elif before:
                raise TruncatedError(f"no record separator before {before!r}")
            before, begun = other, True
    if begun and before:
        yield _value(before)


def _value(text: bytes) -> Any:
    if not text.endswith(b"\n"):
        raise TruncatedError(f"no line feed after {text!r}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise TruncatedError(f"no value: {text!r}") from error
