"""What happened in a request, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import g, request, session

from tests.support.sources import as_async

TORN_DOWN = ["teardown of NoneType", "app teardown of NoneType"]


class Journal(list[str]):
    def source(self, way: str, items: Iterable[object] = ("a", "b", "c")) -> object:
        """Return a source, sync or async, that looks at the request in every step and notes its close."""
        noted = self._noted(items)
        return noted if way == "sync" else as_async(noted)

    def _noted(self, items: Iterable[object]) -> Iterator[object]:
        try:
            for item in items:
                if isinstance(item, Exception):
                    raise item
                yield item
                see_the_request()
        finally:
            see_the_request()
            self.append("closed")


def see_the_request() -> None:
    """Fail outside a request."""
    assert request.path
    assert session is not None
    assert g.get("nothing") is None
