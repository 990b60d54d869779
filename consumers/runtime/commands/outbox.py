"""`payrouter outbox show NAME` and `payrouter outbox retry NAME`."""

from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import one_consumer
from router.terminal.command_tree import example
from router.terminal.options import json_option

if TYPE_CHECKING:
    from consumers.runtime.configured import Consumer


@click.command("show", epilog=example("outbox show ledger"))
@one_consumer
@json_option
def show(consumer: "Consumer", *, as_json: bool) -> None:
    """Show how many records wait to be published, and which the broker refused for good.

    Exits with status 1 if one was refused.
    """
    from consumers.runtime.commands.actions.outbox import show_outbox

    show_outbox(consumer, as_json=as_json)


@click.command("retry", epilog=example("outbox retry ledger"))
@one_consumer
@json_option
def retry(consumer: "Consumer", *, as_json: bool) -> None:
    """Publish refused records again, after their topic was changed.

    The operation and its author are recorded.
    """
    from consumers.runtime.commands.actions.outbox import retry_outbox

    retry_outbox(consumer, as_json=as_json)
