"""Write the table of versions.md from the results of test runs: a JUnit file each, named `<python>-<versions>.xml`.

python docs/versions.py .nox/results
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

PAGE = Path(__file__).parent / "reference" / "versions.md"
BEGIN, END = "<!-- table: nox -s table -->", "<!-- end of the table -->"
HEAD = "| Python | versions of the dependencies | passed | skipped | failed |\n|---|---|---|---|---|\n"


def row(result: Path) -> str:
    """Return the row of one run."""
    python, _, versions = result.stem.partition("-")
    suite = next(ET.parse(result).getroot().iter("testsuite"))  # noqa: S314  # our own runs
    tests, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    return f"| {python} | {versions} | {tests - skipped - failed:,} | {skipped} | {failed} |\n"


def main(results: Path) -> None:
    """Put the rows of all results into the page."""
    rows = "".join(row(result) for result in sorted(results.glob("*.xml")))
    if not rows:
        raise SystemExit(f"{results}: expected JUnit files named <python>-<versions>.xml, got none")
    page = re.sub(f"{BEGIN}.*{END}", f"{BEGIN}\n\n{HEAD}{rows}\n{END}", PAGE.read_text(), flags=re.DOTALL)
    PAGE.write_text(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
