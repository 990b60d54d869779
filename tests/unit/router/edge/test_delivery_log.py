"""The line of a delivery is that of structlog, byte for byte, and obeys the log's configuration."""

import asyncio
import contextlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from router.edge.delivery_log import DeliveryLog, json_line
from router.edge.summary import Summary
from router.telemetry.logs import Timestamp, as_json, configure_logging, get_log, set_level

AT = "2026-11-27T08:46:00.442786Z"

_odd = ['"', "\\", "\n\r\t\b\f\x00\x1f\x7f", "\u2028\u2029", "</script>", "é€😀", "\ud800", "{0}%s"]
_texts = st.text(max_size=20) | st.sampled_from(_odd)
_event = st.tuples(_texts, _texts, _texts).map(
    lambda texts: dict(zip(("id", "type", "reference"), texts, strict=True))
)
_events = st.lists(_event, max_size=3)


@st.composite
def summaries(draw: st.DrawFn) -> Summary:
    """Make a delivery whose every text may be odd."""
    summary = Summary(None, draw(_texts))
    summary.endpoint, summary.provider = draw(_texts), draw(_texts)
    summary.outcome, summary.reason = draw(_texts), draw(_texts)
    summary.detail = draw(st.none() | _texts)
    summary.events = draw(_events)
    return summary


def by_structlog(summary: Summary, status: int, milliseconds: float) -> str:
    """Format the line of a delivery as all other lines."""
    with capture_logs(processors=[structlog.stdlib.add_log_level]) as lines:
        DeliveryLog()._by_structlog(summary, status, milliseconds)  # noqa: SLF001 - the other way
    (line,) = lines
    del line["log_level"], line["level"]
    text = as_json()(None, "info", line)
    assert isinstance(text, str)
    return text


@given(
    summary=summaries(),
    status=st.integers(100, 599),
    seconds=st.floats(0, 1e6) | st.sampled_from([0.00004, 0.00005, 1e5, 12345.67891]),
)
def test_line_is_that_of_structlog(summary: Summary, status: int, seconds: float) -> None:
    structlog.reset_defaults()
    milliseconds = round(seconds * 1000, 1)

    expected = by_structlog(summary, status, milliseconds)
    at = json.loads(expected)["timestamp"]

    assert expected == json_line(summary, status, milliseconds, at)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (1_795_769_160_442_786_999, "2026-11-27T08:46:00.442786Z"),
        (1_795_769_160_000_000_999, "2026-11-27T08:46:00Z"),
        (1_795_769_160_000_001_000, "2026-11-27T08:46:00.000001Z"),
    ],
    ids=["microseconds", "whole second", "leading zeros"],
)
def test_time_is_that_of_isoformat(
    monkeypatch: pytest.MonkeyPatch, nanoseconds: int, text: str
) -> None:
    monkeypatch.setattr("router.telemetry.logs.time.time_ns", lambda: nanoseconds)
    at = datetime.fromtimestamp(nanoseconds // 10**9, UTC).replace(
        microsecond=nanoseconds // 1000 % 10**6
    )

    assert Timestamp()() == text == at.isoformat().replace("+00:00", "Z")


def test_text_of_a_second_is_not_kept_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    timestamp, texts = Timestamp(), []
    for second in (1_795_769_160, 1_795_769_160, 1_795_769_161):
        monkeypatch.setattr("router.telemetry.logs.time.time_ns", lambda s=second: s * 10**9)
        texts.append(timestamp())

    assert texts == ["2026-11-27T08:46:00Z", "2026-11-27T08:46:00Z", "2026-11-27T08:46:01Z"]


@contextlib.contextmanager
def logging_to(
    level: str = "info", form: Literal["json", "console"] = "json"
) -> Iterator[io.StringIO]:
    """Configure the log as a process does, but into a text."""
    text = io.StringIO()
    try:
        with contextlib.redirect_stderr(text):
            configure_logging(level, form)
            yield text
    finally:
        structlog.reset_defaults()


def test_lines_of_deliveries_keep_their_place_among_the_others() -> None:
    async def work() -> None:
        deliveries, others = DeliveryLog(), get_log("other")
        for number in range(4):
            deliveries.answered(Summary(None, str(number)), 404, 0.001)
            if number % 2:
                others.warning("other", source=str(number))

    with logging_to() as text:
        asyncio.run(work())

    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [line["source"] for line in lines] == ["0", "1", "1", "2", "3", "3"]
    assert [line["event"] for line in lines] == [*["delivery", "delivery", "other"] * 2]


def test_level_that_is_raised_and_lowered_again_applies_at_once() -> None:
    with logging_to() as text:
        deliveries = DeliveryLog()
        for number, level in enumerate(("info", "warning", "debug")):
            set_level(level)
            deliveries.answered(Summary(None, str(number)), 404, 0.001)

    assert [json.loads(line)["source"] for line in text.getvalue().splitlines()] == ["0", "2"]


def test_on_a_terminal_the_line_is_that_of_structlog() -> None:
    with logging_to(form="console") as text:
        DeliveryLog().answered(Summary(None, "203.0.113.7"), 404, 0.001)

    _, _, line = text.getvalue().partition(" ")
    assert line.startswith("edge     delivery endpoint=unknown provider=unknown source=203.0.113.7")


def test_captured_lines_are_captured_even_after_a_line_was_written() -> None:
    with logging_to() as text:
        deliveries = DeliveryLog()
        deliveries.answered(Summary(None, "1"), 404, 0.001)
        with capture_logs() as captured:
            deliveries.answered(Summary(None, "2"), 404, 0.001)
        deliveries.answered(Summary(None, "3"), 404, 0.001)

    assert [line["source"] for line in captured] == ["2"]
    assert [json.loads(line)["source"] for line in text.getvalue().splitlines()] == ["1", "3"]
