"""`payrouter trace`."""

from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import all_consumers
from consumers.runtime.commands.quarantine_limit import quarantine_limit_option
from router.terminal.command_tree import example
from router.terminal.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.runtime.configured import Consumer


@click.command("trace", epilog=example("trace A-1", "trace A-1 --account shop-eu --json"))
@all_consumers
@click.argument("sought", metavar="ORDER|EVENT_ID|TX")
@click.option("--account", help="Merchant, if several have an order with this reference.")
@quarantine_limit_option
@json_option
def trace(
    consumers: "Sequence[Consumer]",
    sought: str,
    account: str | None,
    quarantine_limit: int,
    *,
    as_json: bool,
) -> None:
    """Show all that happened to an order, payment, event or transaction.

    ORDER is the merchant's reference or the gateway's number, TX a transaction hash.
    Exits with status 1 if nothing is found, or a database could not be read.
    """
    from consumers.runtime.commands.actions.trace import show_trace
    from consumers.runtime.trace.gather import TraceQuestion

    show_trace(consumers, TraceQuestion(sought, account, quarantine_limit), as_json=as_json)
