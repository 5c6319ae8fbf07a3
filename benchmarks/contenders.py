"""Who takes part: a table. A peer that is not installed is left out."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

__all__ = ["BROKER", "PATHS", "Contender", "Path", "Protocol", "Role", "entered", "missing"]

Protocol: TypeAlias = Literal["wsgi", "asgi"]
Role: TypeAlias = Literal["floor", "bare", "peer", "library"]


@dataclass(frozen=True, slots=True)
class Contender:
    """One application on one path.

    Attributes:
        name: what the table calls it.
        role: what its figures are for.
        factory: `module:function` within `benchmarks.apps`, which makes the application.
        prefix: where in that application its rows are.
        requires: import names without which it does not take part.
        own: the name of the framework's own response, to compare an integration with.
    """

    name: str
    role: Role
    factory: str
    prefix: str = ""
    requires: tuple[str, ...] = ()
    own: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether all is there that it needs."""
        return all(find_spec(name) is not None for name in self.requires)


@dataclass(frozen=True, slots=True)
class Path:
    """One kind of source under one kind of server."""

    source: Literal["sync", "async"]
    protocol: Protocol
    contenders: tuple[Contender, ...]

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.source} → {self.protocol.upper()}"


FLOOR_ASGI = Contender("floor", "floor", "floor:asgi")
FLOOR_WSGI = Contender("floor", "floor", "floor:wsgi")
STARLETTE = Contender("Starlette", "peer", "starlette:asgi", requires=("starlette",))
FASTAPI = Contender("FastAPI", "peer", "fastapi:asgi", requires=("fastapi",))
LITESTAR = Contender("Litestar", "peer", "litestar:asgi", requires=("litestar",))
QUART = Contender("Quart", "peer", "quart:asgi", requires=("quart",))
DJANGO_ASGI = Contender("Django", "peer", "django:asgi", prefix="/django", requires=("django",))
DJANGO_WSGI = Contender("Django", "peer", "django:wsgi", prefix="/django", requires=("django",))
FLASK = Contender("Flask", "peer", "flask:wsgi", requires=("flask",))
PLAIN_ASGI = Contender("Response", "library", "plain:asgi")
PLAIN_WSGI = Contender("Response", "library", "plain:wsgi")
OUR_FASTAPI = Contender("stream_adapter in FastAPI", "library", "fastapi:adapted", requires=("fastapi",), own="FastAPI")
OUR_DJANGO_ASGI = Contender(
    "stream_adapter in Django", "library", "django:asgi", prefix="/adapted", requires=("django",), own="Django"
)
OUR_DJANGO_WSGI = Contender(
    "stream_adapter in Django", "library", "django:wsgi", prefix="/adapted", requires=("django",), own="Django"
)
OUR_FLASK = Contender("stream_adapter in Flask", "library", "flask:adapted", requires=("flask",), own="Flask")

PATHS = (
    Path(
        "async",
        "asgi",
        (
            FLOOR_ASGI,
            STARLETTE,
            PLAIN_ASGI,
            FASTAPI,
            OUR_FASTAPI,
            DJANGO_ASGI,
            OUR_DJANGO_ASGI,
            LITESTAR,
            QUART,
            Contender("sse-starlette, events", "peer", "events:sse_starlette", requires=("sse_starlette", "fastapi")),
            Contender("FastAPI, events", "peer", "events:fastapi", requires=("fastapi",)),
            Contender("sse, events", "library", "events:adapted", requires=("fastapi",)),
        ),
    ),
    Path(
        "sync",
        "asgi",
        (
            FLOOR_ASGI,
            STARLETTE,
            PLAIN_ASGI,
            FASTAPI,
            OUR_FASTAPI,
            DJANGO_ASGI,
            OUR_DJANGO_ASGI,
            LITESTAR,
            QUART,
            Contender("Flask by a2wsgi", "peer", "flask:by_a2wsgi", requires=("flask", "a2wsgi")),
            Contender("Flask by asgiref", "peer", "flask:by_asgiref", requires=("flask", "asgiref")),
            Contender("Flask by to_asgi", "library", "flask:by_to_asgi", requires=("flask",)),
        ),
    ),
    Path(
        "sync",
        "wsgi",
        (
            FLOOR_WSGI,
            Contender("bare loop", "bare", "floor:bare_wsgi"),
            PLAIN_WSGI,
            Contender("Response, bulk", "library", "plain:wsgi_bulk"),
            FLASK,
            OUR_FLASK,
            DJANGO_WSGI,
            OUR_DJANGO_WSGI,
        ),
    ),
    Path(
        "async",
        "wsgi",
        (
            FLOOR_WSGI,
            Contender("a2wsgi", "peer", "a2wsgi:wsgi", requires=("a2wsgi",)),
            Contender("Starlette by a2wsgi", "peer", "starlette:by_a2wsgi", requires=("starlette", "a2wsgi")),
            Contender("Starlette by to_wsgi", "library", "starlette:by_to_wsgi", requires=("starlette",)),
            PLAIN_WSGI,
            OUR_FLASK,
            DJANGO_WSGI,
            OUR_DJANGO_WSGI,
        ),
    ),
)

LIST = Contender("a list, by hand", "floor", "broker:floor", requires=("fastapi",))
LIST_IN_FASTAPI = Contender("a list, by hand, FastAPI", "bare", "broker:fastapi", requires=("fastapi",))
SUBSCRIBE = Contender("subscribe", "library", "broker:adapted", requires=("fastapi",))
SUBSCRIBE_IN_FASTAPI = Contender("subscribe in FastAPI", "library", "broker:adapted_fastapi", requires=("fastapi",))
BROKER = (
    LIST,
    SUBSCRIBE,
    LIST_IN_FASTAPI,
    SUBSCRIBE_IN_FASTAPI,
    Contender("broadcaster", "peer", "broker:broadcaster", requires=("fastapi", "broadcaster")),
    Contender("django-eventstream", "peer", "broker:django_eventstream", requires=("fastapi", "django_eventstream")),
)


def entered(path: Path) -> list[Contender]:
    """Return those of a path that can take part."""
    return [contender for contender in path.contenders if contender.is_installed]


def missing() -> list[str]:
    """Name what is left out."""
    contenders = [*(contender for path in PATHS for contender in path.contenders), *BROKER]
    return sorted({contender.name for contender in contenders if not contender.is_installed})
