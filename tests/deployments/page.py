"""The table of docs/reference/deployments.md, and the configurations that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.servers import ROOT

from .measure import Measured
from .programs import Program
from .record import Entry
from .rows import Row
from .running import filled

PAGE = ROOT / "docs" / "reference" / "deployments.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

_SHOWN = {  # what a reader would write
    "listen": "127.0.0.1:8000",
    "host": "127.0.0.1",
    "port": "8000",
    "module": "app:app",
    "package": "app",
    "venv": "/srv/app/venv",
    "paths": "/srv/app",
    "folder": "/srv/app",
    "chain": "chain.pem",
    "key": "key.pem",
}
_BEFORE = {**_SHOWN, "app": "127.0.0.1:8000", "listen": "127.0.0.1:8080", "port": "8080"}
_HEAD = ["", "streamed", "failure seen", "departure noticed", "survives", "`finally` at SIGTERM"]


def made_of(entries: Mapping[Row, Entry]) -> str:
    """Return all that stands between the markers."""
    return "\n\n".join([table(entries), _versions(entries.values()), _configurations(entries)])


def table(entries: Mapping[Row, Entry]) -> str:
    """Return the table in Markdown."""
    lines = [_HEAD, ["---"] * len(_HEAD)]
    lines += [[row.name, *_cells(entry.measured, entry.silence)] for row, entry in entries.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(it: Measured, silence: float) -> list[str]:
    closed, opened = it.finally_
    return [
        _streamed(it),
        {"whole": "**no: it looks whole**", "broken": "yes", "open": "**no: it never ends**"}[it.failure],
        _departure(it),
        f"{silence:g} s" if it.survives else "**no**",
        "yes" if closed == opened else f"**{closed} of {opened}**",
    ]


def _streamed(it: Measured) -> str:
    if it.events and it.bytes_:
        return "yes"
    return "events only" if it.events else "bytes only" if it.bytes_ else "**no**"


def _departure(it: Measured) -> str:
    if it.departure is not None:
        return "at once" if it.departure < 0.1 else f"{it.departure:.1f} s"
    if it.departure_kept_alive is not None:
        return f"by a keepalive, {it.departure_kept_alive:.0f} s"
    return "**no**"


def _versions(entries: Iterable[Entry]) -> str:
    found = sorted({f"{name} {number}" for entry in entries for name, number in entry.versions.items()})
    return f"Versions: {', '.join(found)}."


def _configurations(rows: Iterable[Row]) -> str:
    """Return what was run, each program once."""
    rows = list(rows)
    servers = dict.fromkeys(row.server for row in rows)
    fronts = dict.fromkeys(row.front for row in rows if row.front is not None)
    return "\n\n".join([*(_block(it, _SHOWN) for it in servers), *(_block(it, _BEFORE) for it in fronts)])


def _block(program: Program, names: Mapping[str, str]) -> str:
    language = "nginx" if program.command.startswith("nginx") else "text" if program.config else "sh"
    parts = [program.config or program.command]
    parts += [f"# {name}\n{text}" for name, text in program.files.items()]
    text = filled("\n".join(parts), names).expandtabs(4).rstrip()
    return f"**{program.name}**\n\n```{language}\n{text}\n```"


def written(page: str, made: str) -> str:
    """Return a page with what is between its markers replaced."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"page: expected the markers {BEGIN} and {END}, got one of them or neither")
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def write(entries: Mapping[Row, Entry], path: Path = PAGE) -> None:
    """Write it into the page."""
    path.write_text(written(path.read_text(), made_of(entries)))
