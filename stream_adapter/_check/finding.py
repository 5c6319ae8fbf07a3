"""One finding, and how text from the server is shown in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "printable", "seconds", "shown"]

Level = Literal["ok", "advice", "problem"]

_MOST_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        level: "ok"; "advice": it works, and should be improved; "problem": it does not stream, or breaks clients.
        about: the subject, in a word or two.
        text: what was seen, and what to do.
    """

    level: Level
    about: str
    text: str


def shown(value: object, most: int = _MOST_SHOWN) -> str:
    """Return a server's text so that it is safe to print: one short line without control characters.

    Args:
        value: bytes are read as UTF-8.
        most: characters to show. If there are more, their number is shown.
    """
    text = value[: 4 * most].decode(errors="replace") if isinstance(value, bytes) else str(value)
    length = len(value) if isinstance(value, bytes) else len(text)
    if len(text) <= most:
        return printable(text)
    return f"{printable(text[:most])}… ({length} in all)"


def printable(text: str) -> str:
    """Escape characters that control a terminal or are invisible: C0, C1, direction marks, unassigned ones."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def seconds(time: float | None) -> str:
    """Write a time in the unit that suits it."""
    if time is None:
        return "never"
    return f"{time * 1000:.0f} ms" if time < 1 else f"{time:.1f} s"
