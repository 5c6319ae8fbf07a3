"""What the sections have in common: figures in rows, goals with a yes or no, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Goal", "Table"]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure that is to be reached: at most `limit`."""

    what: str
    measured: float
    limit: float
    unit: str = "x"

    @property
    def is_met(self) -> bool:
        """Whether it is."""
        return self.measured <= self.limit

    def __str__(self) -> str:
        verdict = "yes" if self.is_met else "NO"
        return f"  {verdict:>3}  {self.what}: {self.measured:.3g} {self.unit}, to be at most {self.limit:g} {self.unit}"


@dataclass(slots=True)
class Table:
    """A table of figures.

    Attributes:
        title: what was measured, and in which unit.
        columns: their names; the first is who.
        rows: one list per contender; None for a missing figure.
        goals: what the figures are measured against.
        notes: what one must know to read it.
    """

    title: str
    columns: list[str]
    rows: list[list[str | float | None]] = field(default_factory=list[list[str | float | None]])
    goals: list[Goal] = field(default_factory=list[Goal])
    notes: list[str] = field(default_factory=list[str])

    def lines(self) -> Iterator[str]:
        """Yield it as text."""
        cells = [self.columns, *([_text(cell) for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        yield self.title
        for row in cells:
            first, *others = (
                cell.ljust(width) if index == 0 else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            yield "  " + "  ".join([first, *others])
        yield from map(str, self.goals)
        yield from (f"  {note}" for note in self.notes)
        yield ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        named = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        goals = [{**asdict(goal), "met": goal.is_met} for goal in self.goals]
        return {"title": self.title, "rows": named, "goals": goals, "notes": self.notes}


def _text(cell: str | float | None) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else f"{cell:.3f}" if cell < 10 else f"{cell:.1f}"
