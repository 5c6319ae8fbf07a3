"""The tables as pictures: this library beside the floor and its peers, for a light and for a dark page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.table import Table

__all__ = ["draw"]

_FLOOR = "floor"
_LEFT_OUT = re.compile("events|a2wsgi|asgiref")  # other items, and what is as slow as the slowest of the others
_CAPTION = "CPU time for a row, in multiples of the shortest loop by hand (dashed); the scale is logarithmic"
_OURS = re.compile("Response|stream_adapter|to_asgi|to_wsgi")


@dataclass(frozen=True, slots=True)
class _Theme:
    """The colours of a page."""

    name: str
    text: str
    us: str
    others: str
    line: str


_THEMES = (
    _Theme("light", text="#1f2328", us="#0969da", others="#afb8c1", line="#57606a"),
    _Theme("dark", text="#e6edf3", us="#4493f8", others="#59636e", line="#9198a1"),
)


def draw(tables: Iterable[Table], name: str, folder: Path) -> list[Path]:
    """Draw tables with a column "x floor" as bars, each table in a panel; return the files.

    Args:
        tables: of one section.
        name: of the picture.
        folder: where `name-light.svg` and `name-dark.svg` are written.
    """
    panels = [(table.title.partition(":")[0].removesuffix(", in process"), _bars(table)) for table in tables]
    folder.mkdir(parents=True, exist_ok=True)
    return [_draw(panels, theme, folder / f"{name}-{theme.name}.svg") for theme in _THEMES]


def _bars(table: Table) -> list[tuple[str, float]]:
    """Return names and multiples of the floor's time, the shortest first."""
    column = table.columns.index("x floor")
    named = [(str(row[0]), row[column]) for row in table.rows]
    bars = [(name, float(times)) for name, times in named if isinstance(times, float) and name != _FLOOR]
    return sorted((bar for bar in bars if not _LEFT_OUT.search(bar[0])), key=lambda bar: bar[1])


def _draw(panels: list[tuple[str, list[tuple[str, float]]]], theme: _Theme, path: Path) -> Path:
    matplotlib: Any = import_module("matplotlib")  # of the extra `bench`; nothing else needs it
    figures: Any = import_module("matplotlib.figure")
    settings: dict[str, Any] = {
        "svg.fonttype": "none",  # text stays text, in the page's size and selectable
        "svg.hashsalt": "stream_adapter",  # the same figures make the same file
        "font.family": "sans-serif",
        "font.size": 10,
    }
    with matplotlib.rc_context(settings):
        rows = (len(panels) + 1) // 2
        most = max(len(bars) for _, bars in panels)
        figure = figures.Figure(figsize=(10, rows * (0.8 + 0.26 * most)), layout="constrained")
        places = figure.subplots(rows, 2, squeeze=False, sharex=True)
        longest = max(times for _, bars in panels for _, times in bars)
        for place, panel in zip(places.flat, panels, strict=False):
            _panel(place, *panel, theme)
            place.set_xlim(0.7, longest * 3)
            place.set_ylim(most - 0.4, -0.6)  # as high a bar in each panel, the shortest above
        for place in places.flat[len(panels) :]:
            place.set_axis_off()
        figure.supxlabel(_CAPTION, color=theme.text, fontsize=10)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    path.write_text("".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines()))
    return path


def _panel(axes: Any, title: str, bars: list[tuple[str, float]], theme: _Theme) -> None:
    names, times = [name for name, _ in bars], [value for _, value in bars]
    colours = [theme.us if _OURS.search(name) else theme.others for name in names]
    axes.barh(names, times, color=colours, height=0.7)
    for place, value in enumerate(times):
        axes.annotate(
            f"{value:,.0f}" if value >= 10 else f"{value:.2g}",  # digits that mean something
            (max(value, 1), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=theme.text,
        )
    axes.axvline(1, color=theme.line, linewidth=1, linestyle="--")
    axes.set_title(title, loc="left", color=theme.text, fontweight="bold")
    axes.set_xscale("log")
    axes.tick_params(length=0, colors=theme.text)
    axes.tick_params(axis="x", which="both", labelbottom=False, length=0)
    axes.spines[:].set_visible(False)
