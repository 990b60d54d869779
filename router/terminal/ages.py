"""Ages as text."""

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def age_text(age: timedelta) -> str:
    """Return an age in its largest unit: `3 d`, `5 h`, `12 min`, `40 s`."""
    seconds = max(int(age.total_seconds()), 0)
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
