"""Signed times, which the caller compares with the time window of the endpoint."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal

from router.errors import Reason, Unauthentic

TimeUnit = Literal["s", "ms", "us", "ns", "iso", "iso-utc", "rfc2822"]
"""How a time is written.

Unix time in seconds, milliseconds, microseconds or nanoseconds; RFC 3339 with its offset, or
without one and in UTC; or RFC 2822, as in mail and HTTP.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_MS = re.compile(r"[0-9]{1,16}")
_UNIX_S = re.compile(r"[0-9]{1,13}")
# Gateways write up to nine digits of a fraction, and some more: those
# beyond microseconds are dropped.
_ISO = re.compile(
    r"(?P<moment>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,30}))?(?: ?(?P<offset>[Zz]|[+-][0-9]{2}:?[0-9]{2}))?"
)
_UNIX = re.compile(r"(?P<whole>[0-9]{1,19})(?:\.(?P<fraction>[0-9]{1,30}))?")
_RFC2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, ?)?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}(?::[0-9]{2})?"
    r" (?:[+-][0-9]{4}|GMT|UTC|UT|Z)"
)
_MICROSECONDS: Mapping[str, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
_UNIX_NAMES: Mapping[str, str] = {
    "s": "Unix seconds",
    "ms": "Unix milliseconds",
    "us": "Unix microseconds",
    "ns": "Unix nanoseconds",
}


def from_unix_ms(text: str) -> datetime:
    """Read Unix milliseconds exactly, or raise ValueError."""
    if _UNIX_MS.fullmatch(text) is None:
        message = "Unix milliseconds, 1 to 16 digits"
        raise ValueError(message)
    try:
        # timedelta counts whole milliseconds in integers; a float would lose some.
        return _EPOCH + timedelta(milliseconds=int(text))
    except OverflowError:
        message = "a time before the year 10000"
        raise ValueError(message) from None


def from_unix_s(text: str) -> datetime:
    """Read Unix seconds, or raise ValueError."""
    if _UNIX_S.fullmatch(text) is None:
        message = "Unix seconds, 1 to 13 digits"
        raise ValueError(message)
    try:
        return _EPOCH + timedelta(seconds=int(text))
    except OverflowError:
        message = "a time before the year 10000"
        raise ValueError(message) from None


def from_iso(text: str) -> datetime:
    """Read an RFC 3339 time with its offset, or raise ValueError."""
    return _from_iso(text, "an ISO 8601 time with its offset", in_utc=False)


def _from_iso(text: str, message: str, *, in_utc: bool) -> datetime:
    match = _ISO.fullmatch(text)
    if match is None or (match["offset"] is None) is not in_utc:
        raise ValueError(message)
    moment = match["moment"].replace("t", "T").replace(" ", "T")
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    offset = (match["offset"] or "Z").upper()
    try:
        return datetime.fromisoformat(f"{moment}.{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(message) from None


def _from_iso_in_utc(text: str) -> datetime:
    return _from_iso(text, "an ISO 8601 time in UTC, without an offset", in_utc=True)


def _from_rfc2822(text: str) -> datetime:
    message = "an RFC 2822 time with its offset"
    if _RFC2822.fullmatch(text) is None:
        raise ValueError(message)
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        raise ValueError(message) from None
    # -0000 is UTC, by a clock in an unknown zone; the library returns it without a zone.
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _from_unix(unit: str) -> Callable[[str], datetime]:
    """Return a reader of Unix time with or without a fraction, exact to the microsecond."""

    def read(text: str) -> datetime:
        match = _UNIX.fullmatch(text)
        if match is None:
            raise ValueError(_UNIX_NAMES[unit])
        return _at_microsecond(_whole_microseconds(unit, match["whole"], match["fraction"] or ""))

    return read


def _whole_microseconds(unit: str, whole: str, fraction: str) -> int:
    if unit == "ns":
        return int(whole) // 1000
    scale = _MICROSECONDS[unit]
    digits = len(str(scale)) - 1
    return int(whole) * scale + int(fraction[:digits].ljust(digits, "0") or 0)


def _at_microsecond(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        message = "a time before the year 10000"
        raise ValueError(message) from None


def signed_unix_ms(text: str) -> datetime:
    """Read a signed time in Unix milliseconds, or raise Unauthentic."""
    return signed_time(text, from_unix_ms)


def signed_time(text: str, read: Callable[[str], datetime]) -> datetime:
    """Read a signed time with one of the readers above, or raise Unauthentic."""
    try:
        return read(text)
    except ValueError as error:
        raise Unauthentic(Reason.TIME_MALFORMED, f"expected {error}") from None


def unix_ms_text(moment: datetime) -> str:
    """Write an aware time as Unix milliseconds, as a gateway does when it signs."""
    return str((moment - _EPOCH) // timedelta(milliseconds=1))


def unix_s_text(moment: datetime) -> str:
    """Write an aware time as Unix seconds."""
    return str((moment - _EPOCH) // timedelta(seconds=1))


def iso_text(moment: datetime) -> str:
    """Write an aware time as ISO 8601, in UTC to the millisecond."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )


def _iso_in_utc_text(moment: datetime) -> str:
    return iso_text(moment).removesuffix("Z")


def _rfc2822_text(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))


def _unix_text(unit: TimeUnit, moment: datetime) -> str:
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return str(microseconds * 1000 if unit == "ns" else microseconds // _MICROSECONDS[unit])


def moment_reader(unit: TimeUnit) -> Callable[[str], datetime]:
    """Return the function that reads a time of this unit."""
    readers: Mapping[TimeUnit, Callable[[str], datetime]] = {
        "iso": from_iso,
        "iso-utc": _from_iso_in_utc,
        "rfc2822": _from_rfc2822,
    }
    return readers[unit] if unit in readers else _from_unix(unit)


def moment_text(moment: datetime, unit: TimeUnit) -> str:
    """Write an aware time in this unit."""
    writers: Mapping[TimeUnit, Callable[[datetime], str]] = {
        "iso": iso_text,
        "iso-utc": _iso_in_utc_text,
        "rfc2822": _rfc2822_text,
    }
    return writers[unit](moment) if unit in writers else _unix_text(unit, moment)
