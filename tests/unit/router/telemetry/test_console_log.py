"""A line of log on a terminal can be read: time, component, event, then what there is to know."""

import pytest

from router.telemetry.logs import for_people, plain

LINE = {"timestamp": "10:00:00", "level": "info", "event": "delivery"}


def written(*, colours: bool = False, **line: object) -> str:
    text = for_people(colours=colours)(None, "info", {**LINE, **line})
    assert isinstance(text, str)
    return text


def test_the_component_stands_before_the_event_and_the_facts_behind_in_their_order() -> None:
    line = written(component="edge", endpoint="shop", status=200, milliseconds=1.5)
    assert line == "10:00:00 edge     delivery endpoint=shop status=200 milliseconds=1.5"


def test_what_there_is_not_is_left_out() -> None:
    line = written(component="edge", detail=None, events=[], reason="none", status=0)
    assert line == "10:00:00 edge     delivery status=0"


def test_a_level_is_named_only_where_it_matters() -> None:
    assert "info" not in written(component="edge")
    assert written(component="edge", level="warning").startswith("10:00:00 edge     warning deliv")


def test_a_library_is_named_where_there_is_no_component() -> None:
    assert written(logger="aiokafka").startswith("10:00:00 aiokafka delivery")


def test_a_traceback_follows_in_lines_of_its_own() -> None:
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
def test_facts_are_written_as_a_person_reads_them(value: object, text: str) -> None:
    assert plain(value) == text
