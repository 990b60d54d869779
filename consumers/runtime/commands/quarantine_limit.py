"""The option of commands that also read the topics `quarantine` and `refused`."""

import click

from router.terminal.options import whole_number

quarantine_limit_option = click.option(
    "--quarantine-limit",
    type=whole_number(0, 1_000_000),
    default=1000,
    show_default=True,
    help="Newest records to read of each partition of quarantine and refused.",
)
