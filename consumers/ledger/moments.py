"""Options with a time: `2026-11-22` or `2026-11-22T10:00:00Z`; without a zone it is UTC."""

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
