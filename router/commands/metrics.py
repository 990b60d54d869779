"""`payrouter metrics`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command("metrics", epilog=example("metrics", "metrics --json"))
@invoked
@json_option
@click.option("--markdown", "as_page", is_flag=True, help="Print the page of the documentation.")
def metrics(invocation: Invocation, *, as_json: bool, as_page: bool) -> None:
    """List every metric: its meaning, its labels, the processes that export it."""
    from router.commands.actions.metrics import show_metrics

    show_metrics(invocation, as_json=as_json, as_page=as_page)
