"""`payrouter config`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command("show", epilog=example("config show", "config show --all --origin"))
@invoked
@json_option
@click.option("--all", "whole", is_flag=True, help="Show every setting, set or not.")
@click.option(
    "--origin",
    is_flag=True,
    help="Show where each value comes from: the default, a line of the file, a variable.",
)
def show(invocation: Invocation, *, as_json: bool, whole: bool, origin: bool) -> None:
    """Show the configuration in force, secrets masked.

    Checks it as the start of a process does: exits with status 2 and a line per
    problem if it is wrong.
    """
    if whole or origin:
        from router.commands.actions.settings.in_force import show_in_force

        show_in_force(invocation, whole=whole, origin=origin, as_json=as_json)
        return
    from router.commands.actions.config import show_configuration

    show_configuration(invocation, as_json=as_json)


@click.command("keys", epilog=example("config keys", "config keys --json"))
@invoked
@json_option
@click.option("--markdown", "as_page", is_flag=True, help="Print the page of the documentation.")
def keys(invocation: Invocation, *, as_json: bool, as_page: bool) -> None:
    """List every setting: its default, its type, its meaning."""
    from router.commands.actions.settings.reference import show_keys

    show_keys(invocation, as_json=as_json, as_page=as_page)


@click.command("example", epilog=example("config example > payrouter.toml"))
@invoked
def example_(invocation: Invocation) -> None:
    """Print a payrouter.toml with every setting at its default, as a comment."""
    from router.commands.actions.settings.reference import show_example

    show_example(invocation)


@click.command("schema", epilog=example("config schema > payrouter.toml.v1.json"))
@invoked
def schema(invocation: Invocation) -> None:
    """Print the JSON Schema of payrouter.toml, by which editors complete and check it."""
    from router.commands.actions.settings.reference import show_schema

    show_schema(invocation)
