"""`python -m stream_adapter`: the demo; `python -m stream_adapter check URL`: does an endpoint really stream?

In the demo Flask, Django and FastAPI stream the same generators, and share an answer that outlives its page.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys

NEEDED = ("flask", "django", "fastapi", "uvicorn")


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] == ["check"]:
        sys.exit(check(sys.argv[2:]))
    demo()


def check(arguments: list[str]) -> int:
    """Check an endpoint; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m stream_adapter check",
        description="Check whether an endpoint really streams and, if not, what buffers it.",
        epilog="Exit code: 0: no problem was found; 1: a problem was found; 2: the server did not respond.",
    )
    missing = [name for name in ("httpx2", "h2") if importlib.util.find_spec(name) is None]
    if missing:
        parser.exit(2, f'The check needs {", ".join(missing)}: pip install "stream-adapter[testing]"\n')
    from ._check.command import add_arguments, run  # noqa: PLC0415  # it imports what may be missing

    add_arguments(parser)
    given = parser.parse_args(arguments)
    return run(given.url, dict(given.header), seconds=given.seconds, verify=not given.insecure, json=given.json)


def demo() -> None:
    """Serve the demo."""
    parser = argparse.ArgumentParser(
        prog="python -m stream_adapter",
        description="Serve a page on which Flask, Django and FastAPI stream the same generators, beside their code.",
        epilog="python -m stream_adapter check URL checks whether an endpoint really streams.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, help="the port to listen on (8000, or a free one if that is taken)")
    parser.add_argument(
        "--broker",
        default="memory://",
        metavar="URL",
        help="the broker of answers and news (%(default)s); several demos share redis://localhost:6379/0",
    )
    options = parser.parse_args()

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        parser.exit(2, f'The demo needs {", ".join(missing)}: pip install "stream-adapter[demo]"\n')
    os.environ["DEMO_BROKER"] = options.broker
    with contextlib.suppress(KeyboardInterrupt):
        try:
            importlib.import_module("stream_adapter._demo.broker")  # it makes the broker, whose client may be missing
        except (ImportError, ValueError) as error:
            parser.exit(2, f"Cannot use the broker {options.broker}: {error}\n")
        from ._demo.server import listen, serve  # noqa: PLC0415  # it imports what may be missing

        try:
            listener = listen(options.host, options.port)
        except OSError as error:
            parser.exit(2, f"Cannot listen on {options.host}: {error.strerror}\n")
        serve(listener)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {port}")
    return port


if __name__ == "__main__":
    main()
