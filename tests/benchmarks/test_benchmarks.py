"""The benchmarks run, and measure what they say. How fast it is, no test can tell."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import against, broker, broker_engines, broker_wakes, requests, runs
from benchmarks.__main__ import main
from benchmarks.cases import Case, cases_of
from benchmarks.chart import draw
from benchmarks.contenders import LIST, PATHS, SUBSCRIBE, Contender, missing
from benchmarks.formats import FORMATS
from benchmarks.rounds import take_turns
from benchmarks.table import Goal, Table

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> str:
    """Run them as a user does: Django's settings are a process's own, and must not become those of the tests."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_path_is_measured_beside_its_floor_and_all_rows_arrive() -> None:
    result: dict[str, Any] = json.loads(run("inprocess", "--rows", "50", "--rounds", "1", "--json"))
    assert len(result["tables"]) == len(PATHS) == 4
    for table in result["tables"]:
        names = {row[""] for row in table["rows"]}
        assert {"floor", "Response", "stream_adapter in Django"} <= names
        assert all(row["best"] > 0 for row in table["rows"])
        assert {goal["what"] for goal in table["goals"]} >= {"stream_adapter in Django / Response, a row alone"}


def test_each_format_has_its_floor_and_goals_and_all_items_arrive() -> None:
    result: dict[str, Any] = json.loads(run("formats", "--rows", "50", "--rounds", "1", "--json"))
    assert len(result["tables"]) == len(FORMATS)
    for table, race in zip(result["tables"], FORMATS, strict=True):
        installed = [contender.name for contender in race.contenders if contender.is_installed]
        assert [row[""] for row in table["rows"]] == installed
        assert {f"{measured} / {beside}" for measured, beside, _ in race.targets} >= {
            goal["what"] for goal in table["goals"]
        }


def test_table_names_the_contenders_that_are_not_installed() -> None:
    printed = run("startup", "--rows", "1", "--rounds", "1")
    assert f"not installed: {', '.join(missing()) or 'nothing'}." in printed
    assert "async → ASGI, start-up" in printed


def test_latency_is_that_of_every_row_through_real_servers() -> None:
    result: dict[str, Any] = json.loads(run("latency", "--rows", "5", "--rounds", "1", "--json"))
    (table,) = result["tables"]
    assert all(row["p50"] > 0 for row in table["rows"])


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_requests_are_counted_with_the_cpu_time_of_the_server() -> None:
    flask = Contender("Flask", "peer", "lines:flask")
    best = requests.best_of({flask: "wsgi"}, "/items-sync/3", rounds=1)
    assert best[flask].a_second > 0
    assert 0 < best[flask].cpu < 0.1


def test_contender_without_its_package_is_not_measured() -> None:
    assert not Contender("missing", "peer", "missing:app", requires=("a_missing_package",)).is_installed


def test_contenders_take_turns() -> None:
    order: list[str] = []
    turns = {name: (lambda name=name: order.append(name), 1) for name in ("floor", "peer", "own")}
    assert take_turns(turns, 2).keys() == turns.keys()
    assert order == ["floor", "peer", "own"] * 2


def test_an_unknown_section_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "unknown section 'speed'" in capsys.readouterr().err


@pytest.mark.parametrize(("measured", "verdict"), [(1.5, "yes"), (1.6, "yes"), (1.7, "NO")])
def test_goal_shows_whether_it_is_met(measured: float, verdict: str) -> None:
    table = Table("speed", ["", "best"], [["own", 1.0]], [Goal("own / floor", measured, 1.6)])
    assert f"  {verdict:>3}  own / floor" in "\n".join(table.lines())


def test_the_installation_is_measured_beside_starlettes() -> None:
    result: dict[str, Any] = json.loads(run("installed", "--rounds", "1", "--json"))
    imports, sizes = result["tables"]
    assert [goal["what"] for goal in imports["goals"]] == ["stream_adapter / Starlette"]
    assert all(row["KiB"] > 0 for row in sizes["rows"])
    assert any("werkzeug" in note and "orjson" in note for note in sizes["notes"])


def test_listeners_of_a_broker_are_measured_beside_a_list_behind_a_server() -> None:
    table = broker.served([LIST, SUBSCRIBE], count=3, events=2, rounds=1)
    assert [row[0] for row in table.rows] == [LIST.name, SUBSCRIBE.name]
    assert [goal.limit for goal in table.goals] == [1.25, 12.0]


def test_runs_are_measured_beside_their_generator_behind_a_server() -> None:
    table = runs.tokens([runs.DIRECT, runs.MEMORY], length=2, firsts=1, rounds=1)
    assert [row[0] for row in table.rows] == [runs.DIRECT.name, runs.MEMORY.name]
    assert [goal.limit for goal in table.goals] == [1.3, 2.0]


def test_wakes_are_measured_beside_a_ring() -> None:
    for table in broker_wakes.measure(0.001, rounds=1):
        assert len(table.rows) == 3
        assert [goal.what for goal in table.goals] == ["subscribe / the ring"]


def test_engines_are_measured_with_a_subscriber_in_another_process(tmp_path: Path) -> None:
    urls = {"SQLite": f"sqlite:///{tmp_path}/broker.db"}
    for measured in (broker_engines.arrivals, broker_engines.publishing, broker_engines.resuming):
        table = measured(urls, 0.01)
        assert table.rows
        assert not table.notes  # no event was lost


in_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a revision is one of a clone")


@in_git
def test_working_tree_is_compared_with_a_revision_case_by_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "_TURNS", 1)
    missing = Case("missing", Contender("missing", "library", "plain:missing"), "asgi", "/whole", 1)
    names = [name for name in cases_of(["formats"]) if "CSV" in name or "ndjson" in name]
    wanted = dict.fromkeys([*names, missing.name], missing)

    def cases(_: list[str]) -> dict[str, Case]:
        return wanted

    monkeypatch.setattr(against, "cases_of", cases)
    table = against.compare("HEAD", [], 2)
    assert [row[0] for row in table.rows] == names
    assert all(isinstance(row[1], float) for row in table.rows)
    assert table.notes == ["not compared: missing (KeyError: 'missing')"]


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.05, 1.04, 1.06, 1.01, 1.1], "slower"),
        ([0.95, 0.9, 0.96, 0.99, 0.97], "faster"),
        ([0.99, 1.05, 1.06, 1.05, 1.06], ""),  # one pair disagrees
        ([1.01, 1.02, 1.02, 1.01, 1.02], ""),  # too little
        ([1.05, 1.04, 1.06], ""),  # too few
    ],
)
def test_comparison_calls_a_difference_when_all_pairs_agree(ratios: list[float], verdict: str) -> None:
    assert against.verdict_on(ratios) == verdict


@in_git
def test_comparison_with_an_unknown_revision_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--against", "no-such-revision"])
    assert "git knows no commit 'no-such-revision'" in capsys.readouterr().err


def test_chart_draws_each_contender_for_light_and_dark_pages(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table = Table("async → ASGI, in process: µs per row", ["", "best", "x floor"])
    table.rows.extend([["floor", 0.1, 1.0], ["Response", 0.14, 1.4], ["Starlette", 0.6, 6.3]])
    light, dark = draw([table], "rows", tmp_path)
    assert (light.name, dark.name) == ("rows-light.svg", "rows-dark.svg")
    for text in (light.read_text(), dark.read_text()):
        assert "Response" in text
        assert "6.3" in text
        assert "floor<" not in text
    again, _ = draw([table], "rows", tmp_path / "again")
    assert again.read_text() == light.read_text()
