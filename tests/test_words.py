"""`.ci/words`: what it finds, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FOUND = [
    "Whoever closes it",
    "nobody waits",
    "test_nobody_waits",
    "the client is told",
    "there is no stream",
    "one class a format",
    "12 µs a row",
    "64 KiB a stream",
    "events for who prefers those",
    "the list of which this is one",
    "our class and theirs",
    "self._bell.ring()",
    "this rings the loop",
    "the WSGI edge",
    "Say whether it ended",
]
LEFT_ALONE = [
    "value is None",
    "the client is no longer connected",
    "twice a second",
    "one is a stream, two of a request",
    "an edge case",
    "a ring buffer",
    "the ring of a channel",
    "untold, knowledge, brings",
    "5. Describe what a user must know",
    "your class",
]


def words(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script in a repository that has this one file."""
    (folder / ".ci").mkdir()
    for name in ("words", "words.allowed"):
        (folder / ".ci" / name).write_text((ROOT / ".ci" / name).read_text())
    (folder / "page.md").write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    script = [sys.executable, str(folder / ".ci" / "words"), str(folder / "page.md")]
    return subprocess.run(script, capture_output=True, text=True, check=False)


def test_banned_word_is_reported_with_its_line_and_a_suggestion(tmp_path: Path) -> None:
    done = words("A plain line.\nThe client is told.\n", tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("page.md:2: told → ")


def test_each_line_with_a_banned_word_is_found(tmp_path: Path) -> None:
    done = words("\n".join(FOUND), tmp_path)
    assert {int(line.split(":")[1]) for line in done.stdout.splitlines()} == set(range(1, len(FOUND) + 1))


@pytest.mark.parametrize("line", LEFT_ALONE)
def test_word_list_accepts_plain_english(line: str, tmp_path: Path) -> None:
    done = words(line, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
