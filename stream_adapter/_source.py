"""The content of a body: its kind is determined once, and it is closed exactly once.

A Source is inspected when the response is made (so that a mistake is an error there) and opened when it is served. Its
owner opens it, and closes it in the task or thread that iterated it. One that was never opened is closed, too.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any, NoReturn, Protocol, cast

from ._log import describe_source, log_close_failure
from ._readers import Reading
from ._source_kinds import COMMON, READY, Kind, is_stream, look_at
from ._source_protocols import OpenedSource, Opener, PolledSource, RequestSource
from .errors import StreamConsumedError

__all__ = ["Kind", "Source", "is_stream"]


# Generators iterate themselves. How each is closed, and the frame that it has until it has ended
_GENERATORS = {GeneratorType: ("close", "gi_frame"), AsyncGeneratorType: ("aclose", "ag_frame")}


class _Owner(Protocol):
    def log_close_failure(self, error: BaseException) -> None: ...
    def log_blocking(self, where: str) -> None: ...


def _no_owner() -> None:
    return None


class Source:
    """One body's content and the duty to close it.

    Args:
        content: what a body may be.
        kind: of the content, where it is known: nothing is looked at then.
    """

    __slots__ = (
        "_closed",
        "_is_common",
        "_iterator",
        "_reading",
        "_taken",
        "content",
        "kind",
        "on_open",
        "owner",
        "reusable",
    )

    def __init__(self, content: Any, kind: Kind | None = None) -> None:
        self.content: Any = content
        self._reading: Reading | None = None
        self._is_common = content.__class__ in COMMON
        if self._is_common:
            self.kind: Kind = kind or COMMON[content.__class__]
        elif kind is None:
            self.kind, self._reading = look_at(content)
        else:
            self.kind = kind
        self.reusable: bool = self.kind in READY or not (
            self.kind is Kind.AWAITABLE
            or is_stream(content)
            or self._reading is not None
            or any(hasattr(content, name) for name in ("read", "close", "aclose"))
        )
        self._taken = False
        self._closed = False
        self._iterator: Any = None
        self.on_open: Callable[[], object] | None = None  # called before the source is opened, in its thread or task
        self.owner: Callable[[], _Owner | None] = _no_owner  # weakly: the owner holds the source

    def __iter__(self) -> NoReturn:
        """Refuse: this is where FastAPI's encoder ends up with a Response that a view returns undecorated."""
        raise TypeError(
            "a stream_adapter Response is to be streamed, not to be encoded as JSON: put @streaming between the route"
            " decorator and the view, or install StreamAdapter(app)"
        )

    def take(self) -> Source:
        """Hand the source to its owner.

        Raises:
            StreamConsumedError: it can be read once and has been taken.
        """
        if self.reusable:
            return Source(self.content, self.kind)
        if self._taken:
            raise StreamConsumedError(
                f"this {type(self.content).__name__} was already consumed; create a new one for each request"
            )
        self._taken = True
        return self

    def iterate(self) -> Iterator[Any]:
        """Open it as a sync iterator, in the thread that will iterate it."""
        if self.on_open is not None:
            self.on_open()
        if self.kind is Kind.ONE:
            self._iterator = iter(() if self.content is None else (self.content,))
        elif self._reading is not None:
            self._iterator = self._reading.open()
        else:
            self._iterator = _Steps(self.content) if _has_only_steps(self.content) else iter(self.content)
        iterator: Iterator[Any] = self._iterator
        return iterator

    def aiterate(self) -> AsyncIterator[Any]:
        """Open it as an async iterator, in the task that will iterate it."""
        if self.on_open is not None:
            self.on_open()
        if self._reading is not None:
            self._iterator = self._reading.open()
        else:
            self._iterator = aiter(self.content) if hasattr(self.content, "__aiter__") else _AsyncSteps(self.content)
        iterator: AsyncIterator[Any] = self._iterator
        return iterator

    @property
    def is_opened_first(self) -> bool:
        """Whether it must be asked, by `open` or `aopen` of its content, before the head is decided."""
        return not self._is_common and isinstance(self.content, OpenedSource)

    @property
    def is_polled(self) -> bool:
        """Whether it can be read without a task, by `open` and `close_now`."""
        return not self._is_common and isinstance(self.content, PolledSource)

    @property
    def per_request(self) -> Opener | None:
        """What opens the content for a request, if it has a stream per request."""
        content: object = self.content
        if self._is_common or not isinstance(content, RequestSource):
            return None
        source = cast("RequestSource[Opener]", content)
        opener: Opener = source._opener  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # of this module
        return opener

    def open(self) -> PolledSource:
        """Open it to be polled."""
        if self.on_open is not None:
            self.on_open()
        content: PolledSource = self.content
        return content

    def close_now(self) -> None:
        """Close it if it is polled, without waiting. Does nothing the second time."""
        if not self._closed:
            self._closed = True
            self.content.close()

    def _closers(self, *names: str) -> Iterable[Callable[[], Any]]:
        """Return the close function of the iterator, then that of the object that it iterates, once."""
        if self._closed or self.kind in READY:
            return ()
        self._closed = True
        generator = _GENERATORS.get(self.content.__class__)
        if generator is None:
            return self._found_closers(names)
        close, frame = generator
        return () if getattr(self.content, frame) is None else (getattr(self.content, close),)

    def _found_closers(self, names: tuple[str, ...]) -> Iterator[Callable[[], Any]]:
        owners = [self._iterator] if self._iterator is self.content else [self._iterator, self.content]
        for owner in owners:
            closer = next(filter(callable, (getattr(owner, name, None) for name in names)), None)
            if closer is not None:
                yield closer

    def close(self, run: Callable[[Coroutine[Any, Any, Any]], object]) -> None:
        """Close it in the thread that iterated it, or in any if it was never opened; `run` finishes a coroutine."""
        is_async = self.kind is Kind.ASYNC  # httpx: "Attempted to call a sync close on an async stream"
        for closer in self._closers(*(("aclose", "close") if is_async else ("close", "aclose"))):
            if inspect.isasyncgen(self.content):  # never started, so its end waits for nothing
                with contextlib.suppress(StopIteration):
                    next(self.content.aclose().__await__())
                continue
            result = closer()
            if inspect.iscoroutine(result):
                run(result)

    def close_failed(self, error: BaseException) -> None:
        """Log what the close has raised, through the owner; that of an abandoned source no longer exists."""
        owner = self.owner()
        if owner is None:
            log_close_failure(describe_source(self.content), error)
        else:
            owner.log_close_failure(error)

    def blocks(self, where: str) -> None:
        """Log, through the owner, that the source blocks its event loop, and where."""
        owner = self.owner()
        if owner is not None:
            owner.log_blocking(where)

    async def aclose(self) -> None:
        """Close it in the task that iterated it."""
        for closer in self._closers("aclose", "close"):
            result = closer()
            if hasattr(result, "__await__") or inspect.isawaitable(result):  # the latter takes ten times as long
                await result


def _has_only_steps(content: object) -> bool:
    return hasattr(content, "__next__") and not hasattr(content, "__iter__")


class _Steps(Iterator[Any]):
    """Iterates an object that has only `__next__`."""

    def __init__(self, source: Any) -> None:
        self._next: Callable[[], Any] = source.__next__

    def __next__(self) -> Any:
        return self._next()


class _AsyncSteps(AsyncIterator[Any]):
    """Iterates an object that has only `__anext__`."""

    def __init__(self, source: Any) -> None:
        self._next: Callable[[], Any] = source.__anext__

    async def __anext__(self) -> Any:
        return await self._next()
