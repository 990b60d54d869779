"""Log lines for machines: always one line of JSON."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from router.telemetry.logs import LineLogger, as_json
from router.telemetry.output import FAILED, LogOutput
from router.telemetry.sinks import sink_of


def written(method: str = "info", **line: object) -> str:
    text = as_json()(None, method, {"component": "edge", **line, "event": "delivery"})
    assert isinstance(text, str)
    return text


def read(method: str = "info", **line: object) -> Any:  # noqa: ANN401 - JSON
    return json.loads(written(method, **line))


def test_line_has_all_fields_in_order_then_event_level_and_time() -> None:
    events = [{"id": "5f0c", "type": "payment.confirmed", "order": "A-1"}]

    line = read("warning", events=events, detail=None, milliseconds=1.5)

    facts = ["component", "events", "detail", "milliseconds"]
    assert list(line) == [*facts, "event", "level", "timestamp"]
    assert (line["events"], line["detail"], line["milliseconds"]) == (events, None, 1.5)
    assert (line["event"], line["level"]) == ("delivery", "warning")


def test_line_has_the_current_time_in_utc() -> None:
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


def test_value_without_a_json_form_is_written_as_repr() -> None:
    at = datetime(2026, 11, 27, tzinfo=UTC)

    assert read(at=at)["at"] == repr(at)


def test_line_is_always_a_single_line() -> None:
    text = "first\nsecond\r\u2028third\x85\x00"

    assert len(written(detail=text).splitlines()) == 1
    assert read(detail=text)["detail"] == text


def test_every_level_is_written_with_one_call() -> None:
    calls: list[str] = []

    class Told(io.StringIO):
        def write(self, text: str) -> int:
            calls.append(text)
            return len(text)

    lines = LineLogger(LogOutput(sink_of(Told())))
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(lines, level)(level)

    assert calls == ["debug\n", "info\n", "warning\n", "error\n", "critical\n"]


def test_error_of_the_stream_is_counted_and_not_raised() -> None:
    gone = io.StringIO()
    gone.close()

    output = LogOutput(sink_of(gone))
    LineLogger(output).info("lost")

    assert output.dropped[FAILED] == 1
