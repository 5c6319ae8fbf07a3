"""An event stream, line by line (WHATWG HTML, 9.2.5 and 9.2.6). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .finding import shown

__all__ = ["EventStream", "parse"]

_END_OF_LINE = re.compile(rb"\r\n|\r|\n")
_FIELDS = {b"data", b"event", b"id", b"retry"}
_SHOWN = 60  # characters of a line that is complained about
_MOST_LINES = 100_000
_MOST_PROBLEMS = 20
_MOST_DIGITS = 10  # of milliseconds: four months


@dataclass(slots=True)
class EventStream:
    """What an event stream says.

    Attributes:
        events: how many a browser dispatches.
        ids: of those that have one, in order.
        comments: the offset of each in the stream, in bytes.
        retry: milliseconds, the last that was said.
        problems: what a browser ignores or cannot read, each with its line; the first of them.
        problem_count: how many there are.
        is_cut: whether there were more lines than are read.
    """

    events: int = 0
    ids: list[str] = field(default_factory=list[str])
    comments: list[int] = field(default_factory=list[int])
    retry: int | None = None
    problems: list[str] = field(default_factory=list[str])
    problem_count: int = 0
    is_cut: bool = False

    def complain(self, problem: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


def parse(stream: bytes, *, ended: bool) -> EventStream:
    """Read it as a browser does.

    Args:
        stream: as far as it came.
        ended: whether that is all of it; of an open one the last line may still be on its way.
    """
    result = EventStream()
    try:
        stream.decode()
    except UnicodeDecodeError as error:
        if ended or error.end < len(stream):
            result.complain(f"byte {error.start}: the stream is not UTF-8, which event streams always are")
    data = named = False
    for number, offset, line in _lines(stream):
        if number > _MOST_LINES:
            result.is_cut = True
            return result
        if not line:
            if data:
                result.events += 1
            elif named:
                result.complain(f"line {number}: an event without data is not dispatched; send an empty data: line")
            data = named = False
            continue
        if line.startswith(b":"):
            result.comments.append(offset)
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        data, named = data or name == b"data", named or name == b"event"
        _read_field(result, number, line, name, value)
    if ended and (data or named):
        result.complain("the stream ends without an empty line: its last event is not dispatched")
    return result


def _lines(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield each complete line, with its number and its offset."""
    offset = 3 if stream.startswith(b"\xef\xbb\xbf") else 0
    for number, end in enumerate(_END_OF_LINE.finditer(stream, offset), 1):
        yield number, offset, stream[offset : end.start()]
        offset = end.end()


def _read_field(result: EventStream, number: int, line: bytes, name: bytes, value: bytes) -> None:
    if name == b"retry":
        if value.isdigit() and len(value) > _MOST_DIGITS:
            result.complain(f"line {number}: retry has {len(value)} digits, and no browser waits that long")
        elif value.isdigit():
            result.retry = int(value)
        else:
            result.complain(f"line {number}: retry takes digits only, and {_shown(value)} is ignored")
    elif name == b"id":
        if b"\0" in value:
            result.complain(f"line {number}: an id with a NUL is ignored")
        else:
            result.ids.append(value.decode(errors="replace"))
    elif name not in _FIELDS:
        result.complain(f"line {number}: no field has this name, and the line is ignored: {_shown(line)}")


def _shown(line: bytes) -> str:
    return f"'{shown(line, _SHOWN)}'"
