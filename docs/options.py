"""Write reference/options.md: the options of every public callable, from signatures and docstrings.

python docs/options.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple, cast

import stream_adapter as sa
import stream_adapter.asgi
import stream_adapter.wsgi
from stream_adapter._keywords import UNSET

PAGE = Path(__file__).parent / "reference" / "options.md"
HEAD = """# Options

<!-- Written by `python docs/options.py` from signatures and docstrings. Not to be edited: a test compares it. -->

Each option is a keyword. Durations are in seconds. An unknown option, or a value that is not allowed, is an error where
you write it.

`@streaming(…)`, `stream_response(content, …)` and `StreamAdapter(app, …)` of the integrations take the options of
`Response`; `@streaming.sse(…)`, `.ndjson(…)`, `.csv(…)` and so on take those of the function of that name too.
"""
EXAMPLE = sa.Response(None)  # each option of a Response is an attribute of it


class Section(NamedTuple):
    """One table."""

    title: str
    target: Callable[..., Any]
    intro: str = ""


SECTIONS = [
    Section("Response", sa.Response),
    Section("text", sa.text, "`text/plain`, and the options of `Response`."),
    Section("html", sa.html, "`text/html`, and the options of `Response`."),
    Section("ndjson", sa.ndjson, "`application/x-ndjson`, and the options of `Response`."),
    Section("json_array", sa.json_array, "`application/json`, and the options of `Response`."),
    Section("json_seq", sa.json_seq, "`application/json-seq`, and the options of `Response`."),
    Section("csv", sa.csv, "`text/csv`, and the options of `Response`."),
    Section("sse", sa.sse, "`text/event-stream`, and the options of `Response`."),
    Section("file", sa.file, "A file, and the options of `Response`."),
    Section("Limits", sa.Limits, "The bounds of one stream: `limits=Limits(…)`."),
    Section("Broker", sa.Broker, "Channels in an engine: [the broker](broker.md)."),
    Section("Broker.publish", sa.Broker.publish, "And `apublish`."),
    Section("Broker.subscribe", sa.Broker.subscribe, "A source, and an iterable of events."),
    Section("History", sa.History, "How much of each channel is kept: `history=History(…)`."),
    Section("configure", sa.configure, "What all streams of the process share."),
    Section("to_asgi", sa.to_asgi, "A WSGI application under ASGI."),
    Section("to_wsgi", sa.to_wsgi, "An ASGI application under WSGI."),
    Section("asgi.StreamAdapterMiddleware", stream_adapter.asgi.StreamAdapterMiddleware, "Around an ASGI application."),
    Section("wsgi.StreamAdapterMiddleware", stream_adapter.wsgi.StreamAdapterMiddleware, "Around a WSGI application."),
]


def described(target: Callable[..., Any]) -> dict[str, str]:
    """Return what `Args:` say of each parameter, in the docstring of a function, a class or its constructor."""
    documented = [target, getattr(target, "__init__", None)]  # of a function: without `Args:`
    text = "\n\n".join(inspect.getdoc(it) or "" for it in documented)
    found = re.search(r"^Args:\n(.*?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    entries = re.findall(r"^    (\*{0,2}\w+): (.*?)(?=^    \S|\Z)", found[1] if found else "", re.DOTALL | re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def taken(target: Callable[..., Any]) -> dict[str, tuple[str, object]]:
    """Return type and default of each option; one of a Response that is not given has the default of an attribute."""
    parameters = inspect.signature(target).parameters.items()
    defaults = {name: getattr(EXAMPLE, name, None) if it.default is UNSET else it.default for name, it in parameters}
    return {name: (str(it.annotation), defaults[name]) for name, it in parameters}


def shown(default: object) -> str:
    """Return a default as a reader would write it."""
    if default is inspect.Parameter.empty:
        return "required"
    if isinstance(default, AbstractSet):
        return ", ".join(f"`{name}`" for name in sorted(cast("AbstractSet[str]", default)))
    if default == sa.Limits():
        return "`Limits()`"
    if isinstance(default, int | float | str | None):
        return f"`{default!r}`".replace("'", '"')
    return "" if default else "none"


def rows(target: Callable[..., Any]) -> Iterator[str]:
    """Yield a line of the table per option."""
    options = taken(target)
    for name, text in described(target).items():
        if name in options:
            kind, default = options[name]
            yield f"| `{name}` | {code_span(kind)} | {shown(default)} | {escaped(text)} |\n"


def code_span(kind: str) -> str:
    """Return a type as a cell."""
    return f"`{kind.replace('SourceInput', 'Source')}`".replace("|", "\\|")


def escaped(text: str) -> str:
    """Return a docstring's sentence as a cell, with a capital letter."""
    return (text[0].upper() + text[1:]).replace("|", "\\|")


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, target, intro in SECTIONS:
        table = f"| option | type | default | |\n|---|---|---|---|\n{''.join(rows(target))}"
        parts.append(f"## {title}\n\n{intro}\n\n{table}" if intro else f"## {title}\n\n{table}")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
