"""What is hard to write and to read in an event stream, and what every client is to read."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from stream_adapter import ServerSentEvent as Event

__all__ = ["CASES", "Case", "Read"]

Read = tuple[str, str, str]
"""The type, the data and the lastEventId of what a client dispatches."""


@dataclass(frozen=True)
class Case:
    """Some items, and what is dispatched for them; text is sent raw."""

    items: tuple[object, ...]
    dispatched: tuple[Read, ...]
    retries: tuple[int, ...] = ()

    @property
    def types(self) -> list[str]:
        return [kind for kind, _, _ in self.dispatched]


def _text(text: str, read: str | None = None) -> Case:
    """Expect text as the data of one message."""
    return Case((text,), (("message", text if read is None else read, ""),))


def _named(name: str) -> Case:
    return Case((Event("data", event=name),), ((name or "message", "data", ""),))


def _id(event_id: str) -> Case:
    return Case((Event("1", id=event_id), Event("2")), (("message", "1", event_id), ("message", "2", event_id)))


def _retry(milliseconds: int) -> Case:
    return Case((Event("1", retry=milliseconds), "2"), (("message", "1", ""), ("message", "2", "")), (milliseconds,))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


_MANY = "é☃𝄞 0123456789 " * 500_000
_LINES = "a line of a hundred thousand, which make up ten megabytes together: " + "x" * 31 + "\n"
_HUGE, _HUGE_LINES = (_MANY + "x" * 10_000_000)[:10_000_000], _LINES * 100_000

CASES: dict[str, Case] = {
    "no data": _text(""),
    "one space": _text(" "),
    "spaces around": _text("  a  "),
    "a tab first": _text("\ta"),
    "LF": _text("a\nb"),
    "CR": _text("a\rb", "a\nb"),
    "CRLF": _text("a\r\nb", "a\nb"),
    "LFCR": _text("a\n\rb", "a\n\nb"),
    "CRCR": _text("a\r\rb", "a\n\nb"),
    "CRLFCRLF": _text("a\r\n\r\nb", "a\n\nb"),
    "all newlines mixed": _text("a\rb\nc\r\nd\n\re\r\r\nf", "a\nb\nc\nd\n\ne\n\nf"),
    "a trailing LF": _text("a\n"),
    "a trailing CR": _text("a\r", "a\n"),
    "a trailing CRLF": _text("a\r\n", "a\n"),
    "newlines first": _text("\n\r\na", "\n\na"),
    "nothing but newlines": _text("\n\r\n\r", "\n\n\n"),
    "CR at the end and LF at the next start": Case(("a\r", "\nb"), (("message", "a\n", ""), ("message", "\nb", ""))),
    "a byte order mark": _text("\ufeffa"),
    "a byte order mark alone": _text("\ufeff"),
    "NUL": _text("a\0b"),
    "controls": _text("\x01\x08\x0b\x0c\x1b\x1f\x7f"),
    "U+2028 and U+2029": _text("a\u2028b\u2029c"),
    "NEL and file separators": _text("a\x85b\x1cc\x1dd\x1ee"),
    "U+FFFD and noncharacters": _text("\ufffd\ufffe\uffff"),
    "two, three and four bytes": _text("é☃𝄞👩‍👩‍👧‍👦"),
    "what looks like a field": _text("data: a\nevent: b\nid: c\nretry: 1"),
    "what looks like a comment": _text(": a\n:"),
    "a colon alone": _text(":"),
    "a field without a colon": _text("data\nid"),
    "what looks like the end": _text("a\n\nevent: over\ndata: b"),
    "JSON": Case(({"a": ["b\nc", None, 1.5]},), (("message", '{"a":["b\\nc",null,1.5]}', ""),)),
    "null": Case((None,), (("message", "null", ""),)),
    "no data field": Case((Event(event="a"), "b"), (("message", "b", ""),)),
    "a name": _named("tick"),
    "the name message": _named("message"),
    "an empty name": _named(""),
    "the name error": _named("error"),
    "the name open": _named("open"),
    "a name with spaces": _named(" a b "),
    "a name with a colon": _named("a: b"),
    "a name beyond ASCII": _named("é☃𝄞\u2028"),
    "a name is one event's": Case((Event("1", event="a"), "2"), (("a", "1", ""), ("message", "2", ""))),
    "an id": _id("7"),
    "an id with spaces": _id(" 7 "),
    "an id with a colon": _id("a:b"),
    "an id beyond ASCII": _id("é☃𝄞\u2028"),
    "a long id": _id("x" * 2000),
    "an id is reset": Case((Event("1", id="7"), Event("2", id="")), (("message", "1", "7"), ("message", "2", ""))),
    "an id without data": Case((Event(id="7"), "1"), (("message", "1", "7"),)),
    "another id": Case((Event("1", id="a"), Event("2", id="b")), (("message", "1", "a"), ("message", "2", "b"))),
    "retry of 0": _retry(0),
    "retry of an hour": _retry(3_600_000),
    "a retry alone": Case((Event(retry=5), "1"), (("message", "1", ""),), (5,)),
    "a comment": Case((Event(comment="data: a"), "b"), (("message", "b", ""),)),
    "an empty comment": Case((Event(comment=""), "b"), (("message", "b", ""),)),
    "a comment of many lines": Case((Event("b", comment="a\n\r\ndata: c\r"),), (("message", "b", ""),)),
    "all fields": Case((Event("a\nb", event="tick", id="7", retry=9, comment="c"),), (("tick", "a\nb", "7"),), (9,)),
    "a thousand events": Case(
        tuple(Event(number, id=str(number)) for number in range(1000)),
        tuple(("message", str(number), str(number)) for number in range(1000)),
    ),
    "ten megabytes in a line": Case((_HUGE, "a"), (("message", _digest(_HUGE), ""), ("message", "a", ""))),
    "ten megabytes in many lines": Case((_HUGE_LINES,), (("message", _digest(_HUGE_LINES), ""),)),
}
