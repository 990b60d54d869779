"""`payrouter offsets show [NAME]` and `payrouter offsets reset NAME`."""

from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import one_consumer, one_or_all_consumers
from router.terminal.command_tree import example
from router.terminal.completion import complete_from, complete_topic
from router.terminal.options import decimal_number, json_option, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.runtime.configured import Consumer


@click.command("show", epilog=example("offsets show", "offsets show ledger --counts"))
@one_or_all_consumers
@click.option(
    "--all", "every", is_flag=True, help="Include idle partitions and earlier Kafka clusters."
)
@click.option("--counts", is_flag=True, help="Show how many records had each outcome instead.")
@click.option(
    "--stuck-after",
    type=decimal_number(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds a record may wait while nothing is applied.",
)
@json_option
def show(
    consumers: "Sequence[Consumer]",
    *,
    every: bool,
    counts: bool,
    stuck_after: float,
    as_json: bool,
) -> None:
    """Show the offset and lag of each partition, of NAME or of every consumer.

    Exits with status 1 if a partition needs attention, or the broker does not
    answer.
    """
    from consumers.runtime.commands.actions.offsets import OffsetsView, show_offsets

    show_offsets(consumers, OffsetsView(every, counts, stuck_after), as_json=as_json)


ENDS = ("earliest", "latest")
"""Offsets with a name."""


def _target(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Refuse what is neither `earliest`, `latest`, nor an offset."""
    if value not in ENDS and not (value.isascii() and value.isdigit()):
        message = f"{value!r} is neither earliest, latest nor an offset"
        raise click.BadParameter(message)
    return value


@click.command(
    "reset",
    epilog=example(
        "offsets reset ledger --topic payment --to earliest",
        "offsets reset ledger --topic payment --partition 3 --to 1200 --yes",
    ),
)
@one_consumer
@click.option(
    "--topic",
    required=True,
    shell_complete=complete_topic,
    help="Topic: payment, or its name on the broker.",
)
@click.option("--partition", type=whole_number(0), help="Partition; default: all.")
@click.option(
    "--to",
    required=True,
    callback=_target,
    shell_complete=complete_from(lambda: ENDS),
    help="earliest, latest, or the next offset to apply.",
)
@click.option("--yes", is_flag=True, help="Do it. Without, only show what would be done.")
@click.option("--force", is_flag=True, help="Do it even if effects could be applied twice.")
@json_option
def reset(  # noqa: PLR0913 - one argument per option
    consumer: "Consumer",
    *,
    topic: str,
    partition: int | None,
    to: str,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Set the next offset that NAME applies of a topic.

    A running consumer follows within seconds. Events that are read again have no
    second effect: their ids are known. A reset further back than ids are remembered
    is refused. After a reset forward, the records in between are never applied. The
    operation and its author are recorded.
    """
    from consumers.runtime.commands.actions.reset import ResetTarget, reset_offsets

    reset_offsets(
        consumer, ResetTarget(topic, partition, to), yes=yes, force=force, as_json=as_json
    )
