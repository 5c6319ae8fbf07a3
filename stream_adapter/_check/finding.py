"""One thing that was found, and the only way in which what a server sent gets into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "printable", "seconds", "shown"]

Level = Literal["ok", "advice", "problem"]

_MOST_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: "ok"; "advice": it works, and could be better; "problem": it does not stream, or breaks a client.
        about: in a word or two.
        text: what was seen, and what to do.
    """

    level: Level
    about: str
    text: str


def shown(value: object, most: int = _MOST_SHOWN) -> str:
    """Return what a server sent as text that is safe to print: one short line without a character that acts.

    Args:
        value: bytes are read as UTF-8.
        most: characters of it; more are cut, and counted.
    """
    text = value[: 4 * most].decode(errors="replace") if isinstance(value, bytes) else str(value)
    length = len(value) if isinstance(value, bytes) else len(text)
    if len(text) <= most:
        return printable(text)
    return f"{printable(text[:most])}… ({length} in all)"


def printable(text: str) -> str:
    """Escape the characters that would act on a terminal or hide: controls, C1, marks of direction, unassigned ones."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def seconds(time: float | None) -> str:
    """Write a time in the unit that suits it."""
    if time is None:
        return "never"
    return f"{time * 1000:.0f} ms" if time < 1 else f"{time:.1f} s"
