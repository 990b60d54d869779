"""`payrouter config show`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command("show", epilog=example("config show --config payrouter.toml"))
@invoked
@json_option
def show(invocation: Invocation, *, as_json: bool) -> None:
    """Show the configuration in force, secrets masked.

    Checks it as the start of a process does: exits with status 2 and a line per
    problem if it is wrong.
    """
    from router.commands.actions.config import show_configuration

    show_configuration(invocation, as_json=as_json)
