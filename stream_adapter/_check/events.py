"""An event stream, line by line (WHATWG HTML, 9.2.5 and 9.2.6). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .finding import shown

__all__ = ["EventStream", "parse"]

_END_OF_LINE = re.compile(rb"\r\n|\r|\n")
_FIELDS = {b"data", b"event", b"id", b"retry"}
_SHOWN = 60  # characters of an invalid line
_MOST_LINES = 100_000
_MOST_PROBLEMS = 20
_MOST_DIGITS = 10  # of milliseconds: four months


@dataclass(slots=True)
class EventStream:
    """The content of an event stream.

    Attributes:
        events: how many a browser dispatches.
        ids: of the events that have one, in order.
        comments: the offset of each in the stream, in bytes.
        retry: the last reconnection time, in milliseconds.
        problems: what a browser ignores or cannot read, each with its line; at most the first twenty.
        problem_count: how many there are.
        is_cut: whether there are more lines than were read.
    """

    events: int = 0
    ids: list[str] = field(default_factory=list[str])
    comments: list[int] = field(default_factory=list[int])
    retry: int | None = None
    problems: list[str] = field(default_factory=list[str])
    problem_count: int = 0
    is_cut: bool = False

    def add_problem(self, problem: str) -> None:
        """Record a problem."""
        self.problem_count += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


def parse(stream: bytes, *, ended: bool) -> EventStream:
    """Parse an event stream as a browser does.

    Args:
        stream: as far as it arrived.
        ended: whether the stream is complete. If not, the last line may be incomplete.
    """
    result = EventStream()
    try:
        stream.decode()
    except UnicodeDecodeError as error:
        if ended or error.end < len(stream):
            result.add_problem(f"byte {error.start}: the stream must be UTF-8, and is not")
    data = named = False
    for number, offset, line in _lines(stream):
        if number > _MOST_LINES:
            result.is_cut = True
            return result
        if not line:
            if data:
                result.events += 1
            elif named:
                result.add_problem(f"line {number}: an event must have data to be dispatched; send an empty data: line")
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
        result.add_problem("the stream must end with an empty line: its last event is not dispatched")
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
            result.add_problem(f"line {number}: retry has {len(value)} digits; browsers do not wait that long")
        elif value.isdigit():
            result.retry = int(value)
        else:
            result.add_problem(f"line {number}: retry must be digits only; {_shown(value)} is ignored")
    elif name == b"id":
        if b"\0" in value:
            result.add_problem(f"line {number}: an id must not contain NUL; it is ignored")
        else:
            result.ids.append(value.decode(errors="replace"))
    elif name not in _FIELDS:
        result.add_problem(f"line {number}: unknown field; the line is ignored: {_shown(line)}")


def _shown(line: bytes) -> str:
    return f"'{shown(line, _SHOWN)}'"
