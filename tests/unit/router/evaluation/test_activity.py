"""The terminal of `payrouter dev` shows one line per delivery, and totals."""

import io
import json
import time

import pytest
from rich.console import Console

from router.evaluation.activity import Activity

ACCEPTED = {
    "component": "edge",
    "endpoint": "blockatm",
    "provider": "blockatm",
    "source": "127.0.0.1",
    "outcome": "accepted",
    "reason": "none",
    "status": 200,
    "events": [{"id": "1", "type": "payment.confirmed", "reference": "A-1"}],
    "milliseconds": 14.6,
    "event": "delivery",
    "level": "info",
    "timestamp": "2026-11-29T10:42:26.298678Z",
}
REFUSED = ACCEPTED | {
    "outcome": "refused",
    "reason": "signature_wrong",
    "status": 401,
    "events": [],
    "milliseconds": 0.6,
}
BATCH = {"component": "ledger", "records": 3, "applied": 2, "event": "batch", "level": "info"}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print times in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def printed(*lines: object) -> str:
    """Return what is printed for these lines of the processes' logs."""
    return _shown(*lines)[0]


def totals(*lines: object) -> str:
    """Return the totals after these lines."""
    return _shown(*lines)[1]


def _shown(*lines: object) -> tuple[str, str]:
    out = io.StringIO()
    activity = Activity(Console(file=out, highlight=False))
    for line in lines:
        activity.read(line if isinstance(line, str) else json.dumps(line))
    return out.getvalue(), activity.totals().plain


def test_accepted_delivery_is_one_line_with_its_event() -> None:
    line = "10:42:26  blockatm           accepted 200  payment.confirmed A-1  15 ms\n"
    assert printed(ACCEPTED) == line


def test_refused_delivery_is_one_line_with_its_reason() -> None:
    line = "10:42:26  blockatm           refused 401  signature_wrong  1 ms\n"
    assert printed(REFUSED) == line


def test_long_line_is_not_wrapped() -> None:
    events = [{"type": "payment.confirmed", "reference": "R" * 200}]
    assert printed(ACCEPTED | {"events": events}).count("\n") == 1


def test_line_without_time_is_still_printed() -> None:
    assert printed(ACCEPTED | {"timestamp": None}).startswith("--:--:--  blockatm")


def test_markup_in_a_reference_is_printed_as_it_is() -> None:
    events = [{"type": "payment.confirmed", "reference": "[bold]A-1[/bold]"}]
    assert "[bold]A-1[/bold]" in printed(ACCEPTED | {"events": events})


def test_info_of_processes_is_not_printed() -> None:
    assert printed(BATCH, {"event": "consumer_started", "level": "info"}) == ""


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
def test_warnings_and_errors_are_printed_for_people(level: str) -> None:
    line = {"component": "ledger", "event": "store_unavailable", "level": level, "detail": "away"}
    shown = printed(line)
    assert "{" not in shown
    assert {"ledger", level, "store_unavailable", "detail=away"} <= set(shown.split())


def test_records_that_cannot_be_applied_are_printed_with_the_command_that_lists_them() -> None:
    at = {"timestamp": "2026-11-29T10:42:26.298678Z"}
    tried = {"component": "inventory", "event": "parked_record_tried", "level": "info"}
    assert printed(
        BATCH | at | {"dead": 2, "parked": 1},
        tried | at | {"outcome": "dead"},
        tried | at | {"outcome": "applied"},
    ).splitlines() == [
        "10:42:26  ledger             1 parked  payrouter parked list ledger",
        "10:42:26  ledger             2 dead  payrouter dlq list ledger",
        "10:42:26  inventory          1 dead  payrouter dlq list inventory",
    ]


def test_warning_about_an_event_fits_a_terminal() -> None:
    line = {
        "component": "inventory",
        "event": "oversold",
        "level": "warning",
        "timestamp": "2026-11-29T10:42:26.298678Z",
        "event_id": "2fe7eb6a-eae3-5e9a-94e1-52d1de44ec6d",
        "account": "demo-shop",
        "reference": "ORD-261129121807-0157",
        "oversold": "tea=3",
    }
    shown = "10:42:26 inventory warning oversold reference=ORD-261129121807-0157 oversold=tea=3\n"
    assert printed(line) == shown


@pytest.mark.parametrize("text", ["payrouter: edge.port: unknown key", "Traceback", "[1]", "{}"])
def test_text_that_is_not_a_log_line_is_printed_unchanged(text: str) -> None:
    assert printed(text) == text + "\n"


@pytest.mark.parametrize(
    "line",
    [
        ACCEPTED | {"events": 5},
        ACCEPTED | {"events": ["payment.confirmed"]},
        ACCEPTED | {"milliseconds": "soon"},
        BATCH | {"applied": "all"},
        BATCH | {"applied": None},
    ],
)
def test_entry_with_unexpected_values_is_printed_as_it_is(line: object) -> None:
    assert printed(line) == json.dumps(line) + "\n"


def test_totals_count_deliveries_by_outcome_and_applied_records_by_consumer() -> None:
    inventory = BATCH | {"component": "inventory", "applied": 1}
    duplicates = {key: value for key, value in BATCH.items() if key != "applied"}
    shown = totals(ACCEPTED, ACCEPTED, REFUSED, BATCH, BATCH, inventory, duplicates)
    deliveries, _, applied = shown.partition("  |  ")
    assert deliveries == "3 deliveries: 2 accepted, 1 refused"
    assert applied == "records applied: inventory 1, ledger 4"


def test_totals_before_anything_happened_are_zero() -> None:
    assert totals() == "0 deliveries"


def test_totals_are_printed_once_if_there_is_no_terminal() -> None:
    out = io.StringIO()
    activity = Activity(Console(file=out))
    with activity.counted():
        activity.read(json.dumps(ACCEPTED))
        assert "deliver" not in out.getvalue()
    assert out.getvalue().endswith("1 delivery: 1 accepted\n")


def test_totals_are_redrawn_below_the_lines_on_a_terminal() -> None:
    out = io.StringIO()
    activity = Activity(Console(file=out, force_terminal=True, width=80, color_system=None))
    with activity.counted():
        activity.read(json.dumps(ACCEPTED))
        activity.read(json.dumps(REFUSED))
    shown = out.getvalue()
    assert shown.index("accepted 200") < shown.index("refused 401")
    assert shown.index("refused 401") < shown.rindex("2 deliveries: 1 accepted, 1 refused")


def test_totals_on_a_terminal_are_a_line_for_deliveries_and_one_for_records() -> None:
    out = io.StringIO()
    activity = Activity(Console(file=out, force_terminal=True, width=80, color_system=None))
    with activity.counted():
        activity.read(json.dumps(ACCEPTED))
        for name in ("inventory", "ledger", "notifications"):
            activity.read(json.dumps(BATCH | {"component": name}))
    drawn = out.getvalue().replace("\r", "").splitlines()
    assert "records applied: inventory 2, ledger 2, notifications 2" in drawn
