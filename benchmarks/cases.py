"""What can be compared with another revision: requests in one process, each by a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.contenders import PATHS, Contender, Protocol, entered
from benchmarks.formats import FORMATS

__all__ = ["SECTIONS", "Case", "cases_of"]

_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Case:
    """A request to an application of this library.

    Attributes:
        name: what the table calls it.
        contender: whose application it is.
        protocol: of the server that calls it.
        path: what is asked for.
        units: rows or requests that one call is.
    """

    name: str
    contender: Contender
    protocol: Protocol
    path: str
    units: int


def _rows() -> Iterator[Case]:
    for path in PATHS:
        for each in entered(path):
            if each.role == "library":
                name = f"{path.name}: {each.name}, a row"
                yield Case(name, each, path.protocol, f"/{path.source}/{_ROWS}", _ROWS)


def _starts() -> Iterator[Case]:
    for path in PATHS:
        for each in entered(path):
            if each.role == "library" and "events" not in each.name:
                yield Case(f"{path.name}: {each.name}, one chunk", each, path.protocol, f"/{path.source}/1", 1)
                yield Case(f"{path.name}: {each.name}, a body", each, path.protocol, "/whole", 1)


def _items() -> Iterator[Case]:
    for race in FORMATS:
        for each in race.contenders:
            if each.role == "library" and each.is_installed:
                name = f"{race.title}, {race.source} → {race.protocol.upper()}: {each.name}, an item"
                yield Case(name, each, race.protocol, f"/items-{race.source}/{_ROWS}", _ROWS)


SECTIONS = {"inprocess": _rows, "startup": _starts, "formats": _items}


def cases_of(sections: list[str]) -> dict[str, Case]:
    """Return the cases of some sections, or of all if none is named, by their names."""
    return {case.name: case for section in sections or SECTIONS for case in SECTIONS[section]()}
