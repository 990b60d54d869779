"""The table of chaos runs, its file, and its place in the page."""

from pathlib import Path
from typing import Any

import pytest

from tests.parts.whole_chaos import __main__ as command
from tests.parts.whole_chaos.page import PAGE, written
from tests.parts.whole_chaos.plan import Size
from tests.parts.whole_chaos.report import rows, shown, store, stored

PLACE = "before\n<!-- chaos -->\nold\n<!-- end of chaos -->\nafter\n"


def made(seed: int = 1, asked: int = 100, **facts: object) -> dict[str, Any]:
    """Return a stored run."""
    usual: dict[str, Any] = {
        "seed": seed,
        "asked": asked,
        "kills": 4,
        "without": None,
        "machine": {"measured_at": "2026-12-01T10:00+00:00", "cores": 2, "load_average": 1.0},
        "deliveries": asked,
        "again": 3,
        "seconds": 60.0,
        "faults": {"edge killed": [1.0, 3.0], "clock skewed": [4.0]},
        "counted": {"ledger": {"applied": 5}},
        "repeated": 1,
        "lost": {},
        "doubled": {},
        "wrong": [],
    }
    return usual | facts


def test_a_line_has_count_median_longest_lost_and_doubled() -> None:
    run = made(lost={"edge killed": 2}, doubled={"clock skewed": 1})
    assert rows([run]) == [
        ["clock skewed", "1", "4.0 s", "4.0 s", "0", "1"],
        ["edge killed", "2", "2.0 s", "3.0 s", "2", "0"],
        ["all", "3", "3.0 s", "4.0 s", "2", "1"],
    ]


def test_what_was_lost_without_a_fault_has_a_line_too() -> None:
    assert rows([made(faults={}, lost={"no fault": 1})])[0] == [
        *("no fault", "0", "-", "-", "1", "0")
    ]


def test_what_is_wrong_is_shown() -> None:
    assert "WRONG: open cases: 1" in shown(made(wrong=["open cases: 1"]))


def test_a_run_replaces_the_one_with_its_seed_and_size(tmp_path: Path) -> None:
    where = tmp_path / "build" / "chaos.json"
    for run in (made(1), made(2), made(1, repeated=7), made(1, without="claims")):
        store(run, where)
    assert [(each["seed"], each["repeated"]) for each in stored(where)] == [(2, 1), (1, 7), (1, 1)]


def test_the_page_sums_up_the_largest_runs_with_all_guards() -> None:
    runs = [made(1, 10), made(1), made(2), made(3, 900, without="claims")]
    page = written(PLACE, runs)
    assert "seeds 1, 2; 200 deliveries" in page
    assert "| edge killed | 4 | 2.0 s | 3.0 s | 0 | 0 |" in page
    assert page.startswith("before\n<!-- chaos -->\n")
    assert page.endswith("\n<!-- end of chaos -->\nafter\n")


def test_the_page_stays_without_runs_and_has_a_place_for_them() -> None:
    assert written(PLACE, []) == PLACE
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, [made()]) != page


def test_options_change_the_size() -> None:
    wanted, alone = command.wanted_of(["--seed", "7", "--deliveries", "600"])
    assert (wanted.seed, wanted.size, alone) == (7, Size.of(600), False)
    wanted, alone = command.wanted_of(["--kills", "0", "--others", "0", "--plan"])
    assert (wanted.size, alone) == (Size(50_000, 0, 0), True)


def test_an_unknown_guard_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.wanted_of(["--without", "sense"])
    assert "acknowledgement" in capsys.readouterr().err
