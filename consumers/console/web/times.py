"""Times for people: relative in the text, exact in its attributes."""

from datetime import datetime, tzinfo

from markupsafe import Markup

from consumers.console.web.texts import PageTexts

_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


def relative_text(moment: datetime, now: datetime, texts: PageTexts) -> str:
    """Return how long ago a moment was, or how far ahead it is, in its largest unit."""
    seconds = int((now - moment).total_seconds())
    unit, length = next(
        ((unit, length) for unit, length in _UNITS if abs(seconds) >= length), _UNITS[-1]
    )
    direction = "ago" if seconds >= 0 else "ahead"
    return texts.count(f"web.time.{direction}.{unit}", abs(seconds) // length)


def exact_text(moment: datetime, zone: tzinfo) -> str:
    """Return a moment to the second with its zone: `2026-11-30 20:15:00 CET`."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def time_element(moment: datetime | None, now: datetime, zone: tzinfo, texts: PageTexts) -> Markup:
    """Return a `<time>` element, empty without a moment."""
    if moment is None:
        return Markup("")
    exact = exact_text(moment, zone)
    element = Markup('<time datetime="{}" title="{}">{}</time>')
    return element.format(moment.isoformat(), exact, relative_text(moment, now, texts))
