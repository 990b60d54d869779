"""Options with a time, a day or a month; a time without a zone is UTC, and so are days."""

from datetime import date

import click

from router.terminal.options import moment

at_option = click.option(
    "--at",
    callback=moment,
    metavar="TIME",
    help="State at this time, inclusive: 2026-11-22 or 2026-11-22T10:00:00Z.",
)
from_option = click.option(
    "--from", "since", callback=moment, metavar="TIME", help="Posted at this time or later."
)
to_option = click.option(
    "--to", "before", callback=moment, metavar="TIME", help="Posted before this time."
)


def day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    """Parse a day, as the callback of an option."""
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        message = f"{value!r} is not a day; use 2026-11-30"
        raise click.BadParameter(message) from None


def month(_context: click.Context, _parameter: click.Parameter, value: str) -> date:
    """Parse a month, as the callback of an argument; returns its first day."""
    try:
        return date.fromisoformat(f"{value}-01")
    except ValueError:
        message = f"{value!r} is not a month; use 2026-11"
        raise click.BadParameter(message) from None


first_option = click.option(
    "--first", callback=day, metavar="DAY", help="Only days from this one: 2026-11-01, in UTC."
)
through_option = click.option(
    "--through",
    callback=day,
    metavar="DAY",
    help="Only days up to this one, inclusive: 2026-11-30.",
)
