"""A line of log for a machine: one line of JSON, whatever is in it."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from router.telemetry.logs import BearingStream, Lines, as_json


def written(method: str = "info", **line: object) -> str:
    text = as_json()(None, method, {"component": "edge", **line, "event": "delivery"})
    assert isinstance(text, str)
    return text


def read(method: str = "info", **line: object) -> Any:  # noqa: ANN401 - JSON
    return json.loads(written(method, **line))


def test_a_line_has_every_fact_in_its_order_and_then_what_happened_how_bad_and_when() -> None:
    events = [{"id": "5f0c", "type": "payment.confirmed", "order": "A-1"}]

    line = read("warning", events=events, detail=None, milliseconds=1.5)

    facts = ["component", "events", "detail", "milliseconds"]
    assert list(line) == [*facts, "event", "level", "timestamp"]
    assert (line["events"], line["detail"], line["milliseconds"]) == (events, None, 1.5)
    assert (line["event"], line["level"]) == ("delivery", "warning")


def test_a_line_says_the_time_of_now_in_utc() -> None:
    said = read()["timestamp"]

    assert said.endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(said)) < timedelta(minutes=5)


def test_an_exception_is_text_in_the_same_line() -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        line = read("error", exc_info=True)

    assert "ZeroDivisionError: division by zero" in line["exception"]
    assert "exc_info" not in line


def test_what_json_has_no_word_for_is_written_as_python_writes_it() -> None:
    at = datetime(2026, 11, 27, tzinfo=UTC)

    assert read(at=at)["at"] == repr(at)


def test_a_line_stays_one_line_whatever_is_in_it() -> None:
    text = "first\nsecond\r\u2028third\x85\x00"

    assert len(written(detail=text).splitlines()) == 1
    assert read(detail=text)["detail"] == text


def test_every_level_is_written_with_one_call() -> None:
    calls: list[str] = []

    class Told(io.StringIO):
        def write(self, text: str) -> int:
            calls.append(text)
            return len(text)

    lines = Lines(BearingStream(Told()))
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(lines, level)(level)

    assert calls == ["debug\n", "info\n", "warning\n", "error\n", "critical\n"]


def test_a_stream_that_is_gone_takes_nothing_down_with_it() -> None:
    gone = io.StringIO()
    gone.close()

    Lines(BearingStream(gone)).info("lost")
