"""`payrouter endpoint url`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.completion import complete_endpoint


@click.command(
    "url",
    epilog=example(
        "endpoint url blockatm-main", "endpoint url blockbee-main --order A-1 --parameter shop=eu"
    ),
)
@click.argument("name", shell_complete=complete_endpoint)
@click.option(
    "--order",
    "reference",
    help="Reference of an order, for gateways that call a separate URL for each order.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Query parameter of your own; may be repeated. Names that the gateway uses are refused.",
)
@invoked
def url(
    invocation: Invocation, name: str, reference: str | None, parameters: tuple[str, ...]
) -> None:
    """Print the whole URL of endpoint NAME. It contains the token: keep it secret."""
    from router.commands.actions.endpoint_url import endpoint_url

    click.echo(endpoint_url(invocation, name, reference, parameters))
