"""`payrouter topics apply`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command("apply", epilog=example("topics apply", "topics apply --check --json"))
@invoked
@click.option(
    "--check", is_flag=True, help="Change nothing; exit with status 1 if a topic differs."
)
@click.option(
    "--alter",
    is_flag=True,
    help="Also alter what differs, if no record is lost by it. More partitions move keys.",
)
@json_option
def apply(invocation: Invocation, *, check: bool, alter: bool, as_json: bool) -> int:
    """Create missing topics and list how the others differ from what they need.

    Exits with status 1 if a topic differs or cannot be compared. Deletes nothing,
    and reduces no retention, size or number of partitions.
    """
    if check and alter:
        message = "--check changes nothing: leave out --alter"
        raise click.UsageError(message)
    from router.commands.actions.topics import apply_and_show

    return apply_and_show(invocation, check=check, alter=alter, as_json=as_json)
