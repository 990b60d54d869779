"""`payrouter edge`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import supervised_option
from router.terminal.processes import serve


@click.command("edge", epilog=example("edge --config payrouter.toml"))
@invoked
@supervised_option
def edge(invocation: Invocation, *, supervised: bool) -> None:
    """Serve the webhooks: verify, normalize, publish, then answer."""
    from router.commands.actions.edge import serving

    serve(serving(invocation, supervised=supervised))
