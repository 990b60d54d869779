"""Options with a time: `2026-11-22` or `2026-11-22T10:00:00Z`; without a zone it is UTC."""

from datetime import UTC, datetime

import click


def moment(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Parse a time, as the callback of an option."""
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        message = f"{value!r} is not a time; use 2026-11-22 or 2026-11-22T10:00:00Z"
        raise click.BadParameter(message) from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


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
