"""`payrouter brake show NAME` and `payrouter brake clear NAME`."""

from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import one_consumer
from router.terminal.command_tree import example
from router.terminal.completion import complete_topic
from router.terminal.options import json_option

if TYPE_CHECKING:
    from consumers.runtime.configured import Consumer

_topic_option = click.option(
    "--topic",
    metavar="TOPIC",
    shell_complete=complete_topic,
    help="Only this topic, by its name on the broker; default: all topics of NAME.",
)


@click.command("show", epilog=example("brake show ledger"))
@one_consumer
@_topic_option
@json_option
def show(consumer: "Consumer", topic: str | None, *, as_json: bool) -> None:
    """Show which brakes of NAME hold, since when and why.

    A brake holds a topic after many failures in a row. Exits with status 1 if one
    holds.
    """
    from consumers.runtime.commands.actions.brake import show_brakes

    show_brakes(consumer, topic, as_json=as_json)


@click.command("clear", epilog=example("brake clear ledger --topic payment"))
@one_consumer
@_topic_option
@json_option
def clear(consumer: "Consumer", topic: str | None, *, as_json: bool) -> None:
    """Release the brakes of NAME: it continues where it stopped.

    The operation and its author are recorded.
    """
    from consumers.runtime.commands.actions.brake import clear_and_show

    clear_and_show(consumer, topic, as_json=as_json)
