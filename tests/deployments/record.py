"""What was measured, kept beside the rows: a run of a part leaves the others as they were."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .measure import Measured
from .rows import ROWS, Row
from .running import versions_of

RECORD = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Entry:
    """One row's last run.

    Attributes:
        measured: what was seen.
        silence: seconds that its event stream said nothing.
        versions: of Python and of each program.
    """

    measured: Measured
    silence: float
    versions: Mapping[str, str]


def load() -> dict[Row, Entry]:
    """Return what is recorded of the rows that there are, in their order."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return {row: _entry(found[row.name]) for row in ROWS if row.name in found}


def _entry(found: dict[str, Any]) -> Entry:
    fields: dict[str, Any] = found["measured"]
    fields["finally_"] = tuple(fields["finally_"])
    return Entry(Measured(**fields), found["silence"], found["versions"])


def save(results: Mapping[Row, Measured], silence: float) -> None:
    """Record the rows that ran, beside those that did not."""
    entries = load()
    for row, measured in results.items():
        entries[row] = Entry(measured, silence, {"Python": platform.python_version(), **versions_of(row.programs)})
    found = {row.name: asdict(entries[row]) for row in ROWS if row in entries}
    RECORD.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
