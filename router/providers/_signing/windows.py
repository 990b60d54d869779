"""Signed times, which the caller compares with the time window of the endpoint."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from router.errors import Reason, Unauthentic

TimeUnit = Literal["s", "ms", "iso"]
"""How a time is written: Unix seconds, Unix milliseconds, or ISO 8601 with its offset."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_MS = re.compile(r"[0-9]{1,16}")
_UNIX_S = re.compile(r"[0-9]{1,13}")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


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
    """Read an ISO 8601 time with its offset, or raise ValueError."""
    message = "an ISO 8601 time with its offset"
    if _ISO.fullmatch(text) is None:
        raise ValueError(message)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
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


def moment_reader(unit: TimeUnit) -> Callable[[str], datetime]:
    """Return the function that reads a time of this unit."""
    return {"s": from_unix_s, "ms": from_unix_ms, "iso": from_iso}[unit]


def moment_text(moment: datetime, unit: TimeUnit) -> str:
    """Write an aware time in this unit."""
    return {"s": unix_s_text, "ms": unix_ms_text, "iso": iso_text}[unit](moment)
