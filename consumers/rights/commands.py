"""`payrouter rights`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command(
    "rights",
    epilog=example("rights ledger", "rights edge --principal User:pay-edge", "rights --json"),
)
@click.argument("processes", nargs=-1, metavar="[PROCESSES]")
@invoked
@click.option(
    "--principal",
    help="User that is granted the rights.  [default: User: and the name of the process]",
)
@click.option("--markdown", is_flag=True, help="Print the page docs/kafka-rights.md.")
@json_option
def rights(
    invocation: Invocation,
    processes: tuple[str, ...],
    principal: str | None,
    *,
    markdown: bool,
    as_json: bool,
) -> None:
    """Print the rights that processes need on Kafka, as commands that grant them.

    Each process is edge, exporter, console, a consumer's name, topics (`payrouter topics apply`) or
    operator (the other commands); all of them if none is given. Asks no broker: `payrouter doctor`
    compares the rights with those that the broker reports.
    """
    from consumers.rights.showing import show_rights

    show_rights(invocation, processes, principal, markdown=markdown, as_json=as_json)
