"""Log lines on a terminal: time, component, event, then the fields."""

import pytest

from router.telemetry.logs import as_console, plain

LINE = {"timestamp": "10:00:00", "level": "info", "event": "delivery"}


def written(*, colours: bool = False, **line: object) -> str:
    text = as_console(colours=colours)(None, "info", {**LINE, **line})
    assert isinstance(text, str)
    return text


def test_line_has_component_event_and_fields_in_order() -> None:
    line = written(component="edge", endpoint="shop", status=200, milliseconds=1.5)
    assert line == "10:00:00 edge     delivery endpoint=shop status=200 milliseconds=1.5"


def test_empty_fields_are_left_out() -> None:
    line = written(component="edge", detail=None, events=[], reason="none", status=0)
    assert line == "10:00:00 edge     delivery status=0"


def test_only_warnings_and_above_show_their_level() -> None:
    assert "info" not in written(component="edge")
    assert written(component="edge", level="warning").startswith("10:00:00 edge     warning deliv")


def test_logger_name_replaces_a_missing_component() -> None:
    assert written(logger="aiokafka").startswith("10:00:00 aiokafka delivery")


def test_traceback_follows_on_separate_lines() -> None:
    assert written(exception="Traceback\n  boom").endswith("delivery\nTraceback\n  boom")


def test_colours_add_nothing_but_colours() -> None:
    coloured = written(colours=True, component="edge", level="error", status=503)
    bare = written(component="edge", level="error", status=503)
    assert coloured != bare
    for code in (0, 1, 2, 31, 36):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == bare


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("text", "text"),
        (["payment-0", "payment-1"], "payment-0, payment-1"),
        ([{"id": "5f0c", "type": "payment.confirmed", "order": None}], "5f0c payment.confirmed"),
        ({"a": 1, "b": [2, 3]}, "1 2, 3"),
    ],
)
def test_fields_are_formatted_for_people(value: object, text: str) -> None:
    assert plain(value) == text
