"""Times on the command line: `2026-11-22`, `2026-11-22T10:00:00Z`; UTC if no zone is given."""

from datetime import UTC, datetime

import click


def moment(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Parse a time; a click option callback."""
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
    help="As of this time, inclusive: 2026-11-22 or 2026-11-22T10:00:00Z.",
)
from_option = click.option(
    "--from", "since", callback=moment, metavar="TIME", help="Posted at this time or later."
)
to_option = click.option(
    "--to", "before", callback=moment, metavar="TIME", help="Posted before this time."
)
