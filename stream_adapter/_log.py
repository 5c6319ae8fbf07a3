"""The log records of a stream: every one is written here, in one form.

    GET /rows (generator rows): failed after the response started (3 items, 66 bytes); closing the connection

It says which request, which source, what happened, how far the response had come, and what happens next. Method and
path are the client's to choose: they are percent-encoded, so that they cannot contain a line break, a terminal's
escape sequence or a blank, and cut.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from ._pump import StepContext
    from ._request import RequestHead

__all__ = [
    "describe_source",
    "describe_stream",
    "expect_reports",
    "forget_reports",
    "is_first_report",
    "log_close_failure",
    "log_stream",
    "log_unhandled_signal",
    "logger",
    "printable",
]

logger = logging.getLogger("stream_adapter")

_reported: ContextVar[list[BaseException]] = ContextVar("stream_adapter.reported")

_LONGEST_METHOD, _LONGEST_PATH = 20, 200  # characters
_IN_A_PATH = "/:@!$&'*+,;=~"  # RFC 3986, 3.3, but for the brackets that our own form has around the source

_KINDS: dict[type, str] = {
    GeneratorType: "generator",
    AsyncGeneratorType: "async generator",
    CoroutineType: "coroutine",
}


def log_stream(
    level: int,
    stream: str,
    happened: str,
    then: str,
    *,
    progress: tuple[int, int] | None = None,
    error: BaseException | None = None,
) -> None:
    """Write one record of a stream.

    Args:
        level: of the record.
        stream: which one, as `describe_stream` has it.
        happened: what was seen.
        then: what is done about it.
        progress: how many items and bytes the client had been sent by then; None where that is not known.
        error: whose traceback is shown.
    """
    if not logger.isEnabledFor(level):
        return
    counted = "" if progress is None else f" ({_count(progress[0], 'item')}, {_count(progress[1], 'byte')})"
    logger.log(level, "%s: %s%s; %s", stream, happened, counted, then, exc_info=error)


def log_close_failure(stream: str, error: BaseException, progress: tuple[int, int] | None = None) -> None:
    """Log a source that raised when it was closed: nothing else handles that error."""
    log_stream(
        logging.ERROR,
        stream,
        "the source failed to close",
        "nothing more is done with it",
        progress=progress,
        error=error,
    )


def log_unhandled_signal(name: str) -> None:
    """Log that streams will not be drained on a signal, because this thread cannot handle one."""
    logger.warning(
        "drain_on_signal: %s is not handled, because this is not the main thread: a reloader or a test client runs the"
        " application in another; streams end when the process exits",
        name,
    )


def expect_reports() -> None:
    """Make the streams of an application in this context, and the stream around it, report a failure once."""
    _reported.set([])


def forget_reports() -> None:
    """Drop the reported errors and their frames: the application has ended."""
    if reported := _reported.get(None):
        reported.clear()


def is_first_report(error: BaseException, context: StepContext) -> bool:
    """Return True if no stream within the one of `context` has reported this error, and note that this one does."""
    reported = context.get(_reported)
    if reported is None:
        return True
    for index, other in enumerate(reported):
        if other is error:
            del reported[index]  # it has frames of this request
            return False
    reported.append(error)
    return True


def describe_stream(request: RequestHead | None, content: object) -> str:
    """Return the name of a stream in the log: its request, where that is known, and its source."""
    source = describe_source(content)
    if request is None or not request.path:
        return source
    return f"{printable(request.method, _LONGEST_METHOD)} {printable(request.path)} ({source})"


def describe_source(content: Any) -> str:
    """Return the name of a source: a generator's function, or the type of another object.

    An object of this library that stands for a user's application or file says itself what it is, by `log_name`.
    """
    cls: type[Any] = content.__class__
    kind = _KINDS.get(cls)
    if kind is not None:
        return f"{kind} {content.__qualname__}"
    return str(content.log_name) if hasattr(cls, "log_name") else cls.__qualname__


def printable(text: str, longest: int = _LONGEST_PATH) -> str:
    """Return text that a client or an application chose, such that it can neither break nor fake a line of the log."""
    quoted = quote(text[: longest + 1], safe=_IN_A_PATH, errors="surrogatepass")
    return quoted if len(quoted) <= longest else f"{quoted[:longest]}…"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
