"""Figures, tables, bounds and the page."""

import io
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any

import pytest

from tests.benchmarks.check import ratios
from tests.benchmarks.report.charts import charts
from tests.benchmarks.report.figures import Figure, rounded
from tests.benchmarks.report.goals import GOALS
from tests.benchmarks.report.page import PAGE, names, written
from tests.benchmarks.report.sheets import sheets
from tests.benchmarks.report.terminal import COLUMNS, print_sheets
from tests.benchmarks.running.servers import EDGE, FASTAPI, NO_OP


def _figure(*values: float) -> dict[str, float]:
    return asdict(Figure.of(values))


def _result(name: str, connections: int, cpu: float) -> dict[str, Any]:
    wide = _figure(11_111, 12_222, 13_333)
    keys = ("per_second", "p50_microseconds", "p99_microseconds", "load_cpu_microseconds")
    result: dict[str, Any] = {"name": name, "connections": connections}
    return result | {"cpu_microseconds": _figure(cpu)} | dict.fromkeys(keys, wide)


def _growth_point(name: str) -> dict[str, Any]:
    return {**_result(name, 32, 1000), "rest_mib": 73.2, "start_cpu_seconds": 0.8}


def _parts() -> dict[str, Any]:
    points = [_growth_point("1"), _growth_point("1000")]
    both = {name: _figure(1, 2, 3) for name in ("with metrics and log", "without")}
    way = {"name": "batches of 500", "per_second": _figure(1000)}
    level = {"name": "90% of capacity", "rate": 90.0}
    keys = ("rest_mib", "loaded_mib", "start_cpu_seconds", "idle_milliseconds")
    return {
        "edge": {
            "results": [
                _result(name, count, cpu)
                for count in (1, 32, 128)
                for name, cpu in ((EDGE, 900), (NO_OP, 30), (FASTAPI, 450))
            ],
            "footprints": [{"name": EDGE} | dict.fromkeys(keys, 73.0)],
        },
        "gateways": {"results": [_result("blockatm", 32, 900), _result("blockbee", 32, 1200)]},
        "growth": {"endpoints": points, "partitions": points, "sizes": points},
        "observed": {"per_second": both, "cpu_microseconds": both},
        "scraped": {"p99": both},
        "ledger": {
            "ways": [
                way | dict.fromkeys(("python_microseconds", "postgres_microseconds"), _figure(5))
            ]
        },
        "remembered": {
            "points": [
                {
                    "remembered": 10_000_000,
                    "microseconds": _figure(15, 17, 18),
                    "table_mib": 1438.4,
                    "indexes_mib": 684.9,
                }
            ]
        },
        "latency": {
            "capacity": 100.0,
            "cpu_microseconds": {"payrouter edge": 900.0, "PostgreSQL": 100.0},
            "levels": [
                level | dict.fromkeys(("answer_p50", "answer_p99", "row_p50", "row_p99"), 12.0)
            ],
        },
        "memory": {
            "points": [
                {"deliveries": 0, "mib": 74.5},
                {"deliveries": 1_000_000, "mib": 84.9},
            ]
        },
    }


def _stored() -> dict[str, Any]:
    about = {
        "machine": {"processor": "P", "cores": 2, "memory_gib": 24, "load_average": 0.5},
        "broker": "Apache Kafka",
        "measured_at": "2026-11-29T22:00:00+00:00",
        "seconds": 60,
        "short": False,
    }
    return {"parts": {name: part | about for name, part in _parts().items()}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034, "0.03"),
        (9.994, "9.99"),
        (43.21, "43.2"),
        (612.4, "612"),
        (1084, "1,080"),
        (9_876, "9,880"),
        (12_345, "12.3k"),
    ],
)
def test_number_is_written_with_three_digits(value: float, text: str) -> None:
    assert rounded(value) == text


def test_figure_is_median_minimum_and_maximum_of_the_rounds() -> None:
    assert Figure.of([3.0, 1.0, 20.0]) == Figure(3.0, 1.0, 20.0)
    assert Figure.of([3.0, 1.0, 20.0]).text() == "3.00 (1.00-20.0)"


def test_ratio_divides_the_cost_of_the_edge_by_that_of_the_other() -> None:
    found = sheets({"edge": _parts()["edge"]})["edge.ratios"]
    rows = {name: cells for name, *cells in found.rows}
    assert rows == {NO_OP: ["30.00"] * 3, FASTAPI: ["2.00"] * 3}


def test_goal_is_met_by_a_figure_within_its_bound() -> None:
    rows = {name: cells for name, *cells in sheets(_parts())["goals"].rows}
    assert rows["CPU: edge ÷ FastAPI, 32 connections"] == ["≤ 0.45", "2.00", "no"]
    assert rows["requests a second: edge ÷ no-op, 32"] == ["≥ 0.60", "1.00", "yes"]
    assert rows["CPU: dearest ÷ cheapest gateway"] == ["≤ 1.50", "1.33", "yes"]
    assert rows["CPU of metrics and log, %"] == ["≤ 5.0", "0.0", "yes"]
    # A server that is not installed has none.
    assert rows["CPU: edge ÷ Go, 32 connections"] == ["≤ 2.00", "-", "-"]
    assert len(rows) == len(GOALS)


def test_goals_are_shown_only_with_all_their_parts() -> None:
    assert "goals" not in sheets({"edge": _parts()["edge"]})


def test_tables_fit_into_80_columns() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        print_sheets(sheets(_parts()).values())
    lines = printed.getvalue().splitlines()
    assert max(map(len, lines)) <= COLUMNS
    # A cell that does not fit would continue in the next line.
    rows = sum(len(sheet.rows) + 3 for sheet in sheets(_parts()).values())
    assert len(lines) == rows


def test_ratio_above_its_bound_is_not_kept() -> None:
    (ratio,) = ratios({EDGE: 900.0, NO_OP: 30.0}, {NO_OP: 29.9})
    assert not ratio.kept


def test_ratio_within_its_bound_is_kept_and_a_server_left_out_has_none() -> None:
    (ratio,) = ratios({EDGE: 900.0, NO_OP: 30.0}, {NO_OP: 30.0, FASTAPI: 0.1})
    assert ratio.kept


def test_page_gets_the_tables_of_the_parts_that_were_measured() -> None:
    page = "before\n<!-- bench: edge.ratios -->\nold\n<!-- end -->\nafter\n"
    kept = "<!-- bench: ledger -->\nold\n<!-- end -->\n"
    stored = _stored()
    del stored["parts"]["ledger"]
    new = written(page + kept, stored)
    assert f"| {NO_OP} | 30.00 |" in new
    assert new.startswith("before\n")
    assert new.endswith("after\n" + kept)


def test_page_gets_no_figures_of_the_short_form() -> None:
    page = "<!-- bench: edge.ratios -->\nold\n<!-- end -->\n"
    stored = _stored()
    stored["parts"]["edge"]["short"] = True
    assert written(page, stored) == page


def test_page_that_was_written_does_not_change_again() -> None:
    page = PAGE.read_text(encoding="utf-8")
    once = written(page, _stored())
    assert written(once, _stored()) == once


def test_every_table_of_the_page_is_measured_and_every_measured_table_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(names(page)) == sorted([*sheets(_parts()), *charts(_parts()), "machine"])


def test_a_chart_has_a_value_for_each_name() -> None:
    drawn = charts(_parts())["chart.edge"].splitlines()
    assert drawn[0] == "```mermaid"
    assert f'  x-axis "server" ["{EDGE}", "{NO_OP}", "{FASTAPI}"]' in drawn
    assert "  bar [900.0, 30.0, 450.0]" in drawn
    assert drawn[-1] == "```"
