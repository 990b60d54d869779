"""Spellings of times, as gateways write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.providers._signing import TimeUnit, moment_reader, moment_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
_WHOLE = _AT.replace(microsecond=0)
_UNITS: tuple[TimeUnit, ...] = ("s", "ms", "us", "ns", "iso", "iso-utc", "rfc2822")
_STEP: dict[TimeUnit, timedelta] = {
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "us": timedelta(microseconds=1),
    "ns": timedelta(microseconds=1),
    "iso": timedelta(milliseconds=1),
    "iso-utc": timedelta(milliseconds=1),
    "rfc2822": timedelta(seconds=1),
}


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("s", "1795341600", _WHOLE),
        ("s", "1795341600.123456", _AT),
        ("s", "1795341600.1234567", _AT),
        ("ms", "1795341600123", _AT.replace(microsecond=123000)),
        ("ms", "1795341600123.456", _AT),
        ("us", "1795341600123456", _AT),
        ("ns", "1795341600123456789", _AT),
        ("iso", "2026-11-22T10:00:00Z", _WHOLE),
        ("iso", "2026-11-22t10:00:00z", _WHOLE),
        ("iso", "2026-11-22 10:00:00+00:00", _WHOLE),
        ("iso", "2026-11-22 10:00:00 +0000", _WHOLE),
        ("iso", "2026-11-22T15:30:00.123456+05:30", _AT),
        ("iso", "2026-11-22T05:00:00.123456-0500", _AT),
        ("iso", "2026-11-22T10:00:00.1Z", _AT.replace(microsecond=100000)),
        ("iso", "2026-11-22T10:00:00,123456Z", _AT),
        ("iso", "2026-11-22T10:00:00.123456789123Z", _AT),
        ("iso-utc", "2026-11-22 10:00:00", _WHOLE),
        ("iso-utc", "2026-11-22T10:00:00.123456", _AT),
        ("rfc2822", "Sun, 22 Nov 2026 10:00:00 GMT", _WHOLE),
        ("rfc2822", "Sun, 22 Nov 2026 12:00:00 +0200", _WHOLE),
        ("rfc2822", "22 Nov 2026 10:00:00 -0000", _WHOLE),
    ],
)
def test_time_is_read_in_every_spelling(unit: TimeUnit, text: str, expected: datetime) -> None:
    assert moment_reader(unit)(text) == expected


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        *((unit, text) for unit in ("s", "ms", "us", "ns") for text in ("", "-1", "1e3", " 1")),
        ("s", "1."),
        ("s", ".5"),
        ("s", "99999999999999"),
        ("us", "\u0661"),
        ("iso", "2026-11-22T10:00:00"),
        ("iso", "2026-11-22"),
        ("iso", "2026-13-22T10:00:00Z"),
        ("iso", "2026-11-22T10:00:00.Z"),
        ("iso", "2026-11-22T10:00:00Z\n"),
        ("iso", "0001-01-01T00:00:00+23:59"),
        ("iso-utc", "2026-11-22T10:00:00Z"),
        ("rfc2822", "Sun, 22 Nov 2026 10:00:00"),
        ("rfc2822", "Sun, 32 Nov 2026 10:00:00 GMT"),
        ("rfc2822", "yesterday"),
    ],
)
def test_other_spelling_is_refused(unit: TimeUnit, text: str) -> None:
    with pytest.raises(ValueError, match=r"^(a|an|Unix) "):
        moment_reader(unit)(text)


@pytest.mark.parametrize("unit", _UNITS)
@given(microseconds=st.integers(min_value=0, max_value=7 * 10**15))
def test_written_time_is_read_again(unit: TimeUnit, microseconds: int) -> None:
    moment = _EPOCH + timedelta(microseconds=microseconds)

    again = moment_reader(unit)(moment_text(moment, unit))

    assert timedelta(0) <= moment - again < _STEP[unit]


@given(nanoseconds=st.integers(min_value=0, max_value=10**18 * 4))
def test_unix_nanoseconds_lose_nothing_above_a_microsecond(nanoseconds: int) -> None:
    moment = moment_reader("ns")(str(nanoseconds))

    assert (moment - _EPOCH) // timedelta(microseconds=1) == nanoseconds // 1000
