"""The format if none is named: the type of the first item decides, then the client's Accept among those that fit."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from types import MappingProxyType
from typing import Any, TypeVar

from stream_adapter._accept import Qualities, quality_of, read_qualities
from stream_adapter._encode import BUILTIN_KINDS, ChunkTable, Encode, Kind, kind_of

from ._base import NO_BUFFERING, ChunkFormat, Format, FormatEncoder
from ._event import is_event
from ._published import Published
from .json import NDJSON, JSONArray, JSONSeq
from .sse import SSE
from .text import Text

__all__ = ["Auto"]

AnyFormat = TypeVar("AnyFormat", bound=Format)


class Octets(ChunkFormat):
    """Bytes of no particular type."""


class Document(ChunkFormat):
    """One JSON value."""

    media_type: str = "application/json"


def _own(format: AnyFormat) -> AnyFormat:
    """Return a copy of one of the formats here. They are shared, and one stream may change its own.

    `copy.copy` does the same in four times as long.
    """
    own = object.__new__(format.__class__)
    vars(own).update(vars(format))
    return own


_choosing = Lock()  # the source's thread and a commit that stopped waiting for it agree on one choice
_OCTETS, _DOCUMENT, _EVENTS = Octets(), Document(), SSE()
_ITEMS: tuple[Format, ...] = (NDJSON(), JSONArray(), JSONSeq(), _EVENTS)  # what carries JSON values, the default first
_PUBLISHED: tuple[Format, ...] = (_EVENTS, NDJSON(), JSONSeq(), JSONArray())  # what carries a broker's events


class Auto(ChunkFormat):
    """Bytes → application/octet-stream; text, number → text/plain; JSON values → NDJSON; ServerSentEvent → SSE.

    These are the defaults. JSON values go out in whichever JSON format, or as the events, that the client prefers; text
    stays text, or becomes the data of events if the client prefers `text/event-stream`. An empty stream may use any.

    Args:
        text_media_type: the media type of text, which in Flask is text/html.
        accept: the client's Accept, "" if it sent none; None leaves the client no choice.
    """

    def __init__(self, text_media_type: str = "text/plain", accept: str | None = None) -> None:
        self.media_type: str = text_media_type
        self._text: Format = Text(text_media_type)
        text = (self._text, _EVENTS)
        self._offered: dict[Kind | None, tuple[Format, ...]] = {
            "bytes": (_OCTETS,),
            "text": text,
            "number": text,
            "json": _ITEMS,
            None: (self._text,),  # whose encoder says what is wrong with it
        }
        ranges = None if accept is None else read_qualities(accept)
        self._chosen = {kind: _preferred(offered, ranges) for kind, offered in self._offered.items()}
        self._published: Format = _preferred(_PUBLISHED, ranges)
        self._nothing: Format = _preferred((self._text, *_ITEMS), ranges)
        # what may become an event stream is read, under WSGI, in a thread, so that there can be keepalives
        self.keepalive: float | None = next(filter(None, (format.keepalive for format in self._chosen.values())), None)

    def offered(self, cls: type[Any]) -> tuple[Format, ...]:
        """Return the formats among which a client may choose if the first item is a `cls`, the default first."""
        return tuple(map(_own, (_EVENTS,) if is_event(cls) else self._offered[kind_of(cls)]))

    def encoder(self, *, strict: bool, charset: str) -> _AutoEncoder:
        """Make the encoder of one stream, which is undecided."""
        return _AutoEncoder(_UndecidedTable(self, strict=strict, charset=charset))

    def choose(self, cls: type[Any] | None, *, strict: bool) -> Format:
        """Return the format of a stream whose first item is a `cls`; None: the stream is empty, or has no item yet."""
        if strict:
            return _own(_OCTETS)
        if cls is None:
            return _own(self._nothing)
        if cls in BUILTIN_KINDS:
            return _own(self._chosen[BUILTIN_KINDS[cls]])
        if issubclass(cls, Published):
            return _own(self._published)
        return _own(_EVENTS if is_event(cls) else self._chosen[kind_of(cls)])

    def choose_whole(self, cls: type, *, strict: bool) -> Format:
        """Return the format of a body that is one `cls`: no items, so nothing to negotiate, and JSON is a document."""
        kind = kind_of(cls)
        if strict or kind == "bytes":
            return _own(_OCTETS)
        return _own(_DOCUMENT if kind == "json" else self._text)


class _UndecidedTable(ChunkTable):
    """The table of a stream whose format is chosen when it is first asked for a type, is committed or ends without one.

    It does not know the encoder that holds it: a cycle would leave each stream to the garbage collector.
    """

    __slots__ = ("_auto", "_charset", "_chosen", "_format", "_strict")

    def __init__(self, auto: Auto, *, strict: bool, charset: str) -> None:
        self._auto = auto
        self._strict = strict
        self._charset = charset
        self._chosen: FormatEncoder | None = None
        self._format: Format | None = None

    @property
    def format(self) -> Format:
        """What is being written; until it is chosen, the undecided format."""
        if self._format is None:
            self._format = _own(self._auto)
        return self._format

    @format.setter
    def format(self, format: Format) -> None:
        self._format = format

    def __missing__(self, cls: type) -> Encode:
        self.chosen(cls)
        return super().__missing__(cls)

    def chosen(self, cls: type | None = None) -> FormatEncoder:
        """Return what is chosen, and choose by the type of the first item if nothing is."""
        return self._chosen or self._choose(self._auto.choose(cls, strict=self._strict))

    def choose_whole(self, cls: type) -> None:
        """Choose for one value alone."""
        self._choose(self._auto.choose_whole(cls, strict=self._strict))

    def _choose(self, format: Format) -> FormatEncoder:
        with _choosing:
            if self._chosen is None:
                chosen = format.encoder(strict=self._strict, charset=self._charset)
                self._resolve = chosen.table.__getitem__
                self.format = chosen.format
                self._chosen = chosen
            return self._chosen


class _AutoEncoder(FormatEncoder):
    """Undecided until its table has made the choice."""

    __slots__ = ()

    table: _UndecidedTable

    def __init__(self, table: _UndecidedTable) -> None:
        self.table = table  # pyright: ignore[reportIncompatibleVariableOverride]  # set once

    @property  # it is another once one is chosen
    def format(self) -> Format:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What is being written."""
        return self.table.format

    @format.setter
    def format(self, format: Format) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.table.format = format

    def expect_only(self, cls: type) -> None:
        """Choose for one value alone."""
        self.table.choose_whole(cls)

    def settle(self) -> Format:
        """Return the format that the headers announce."""
        return self.table.chosen().format

    def finish(self) -> bytes:
        """Return what follows the last item."""
        return self.table.chosen().finish()


def _preferred(offered: Sequence[Format], ranges: Qualities | None) -> Format:
    """Return the format that a client prefers, as it is sent then: live, and named as one of several.

    The highest quality wins. Between equals it is one that the client names over one that it only does not rule out,
    and then the first that is offered. That is also what it gets if it accepts none of them: most clients can use what
    they did not think to ask for.

    Args:
        offered: each of another media type, the default first.
        ranges: of the client's Accept. None does not negotiate: the default is returned as it is.
    """
    if ranges is None or len(offered) == 1:
        return offered[0]
    best, likes = offered[0], (0.0, 0)
    for format in offered:
        liked = quality_of(format.media_type, ranges)
        if liked > likes and liked[0] > 0:
            best, likes = format, liked
    chosen = _own(best)
    # RFC 9110, 12.5.5: a cache must ask again for a client that accepts something else
    chosen.headers = MappingProxyType({**NO_BUFFERING, **chosen.headers, "Vary": "Accept"})
    return chosen
