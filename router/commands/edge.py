"""`payrouter edge`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import supervised_option, whole_number
from router.terminal.processes import serve


@click.command("edge", epilog=example("edge --config payrouter.toml"))
@invoked
@click.option(
    "--workers",
    type=whole_number(1, 64),
    help="Number of processes that take deliveries, one for each core; default: [edge] workers.",
)
@supervised_option
def edge(invocation: Invocation, workers: int | None, *, supervised: bool) -> None:
    """Serve the webhooks: verify, normalize, publish, then answer."""
    from router.commands.actions.edge import serving

    serve(serving(invocation, workers, supervised=supervised))
