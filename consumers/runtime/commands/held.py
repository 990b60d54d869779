"""`payrouter parked list|retry NAME` and `payrouter dlq list|show|replay|history NAME`."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from consumers.runtime.commands.one_consumer import one_consumer
from router.terminal.command_tree import example
from router.terminal.completion import complete_topic
from router.terminal.options import decimal_number, json_option, limit_option, since_option

if TYPE_CHECKING:
    from consumers.runtime.configured import Consumer

REASONS = (
    *("unreadable", "unfetchable", "poison", "conflict", "failed", "behind", "exhausted"),
    "replayed",
)
"""The values of `HeldReason`, without importing it."""

_FILTERS = (
    click.option("--id", "numbers", type=int, multiple=True, help="Number; may be repeated."),
    click.option(
        "--topic",
        shell_complete=complete_topic,
        help="Topic it came from, by its name on the broker.",
    ),
    click.option(
        "--reason",
        type=click.Choice(REASONS),
        metavar="REASON",
        help=f"Reason why it is held: {', '.join(REASONS)}.",
    ),
    click.option("--event", "event_id", type=click.UUID, help="Event id."),
    since_option("Held at this time or later"),
    limit_option(1000),
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters to a command; it gets them as `filters`, by name."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401 - click's
        numbers: tuple[int, ...],
        topic: str | None,
        reason: str | None,
        event_id: UUID | None,
        since: datetime | None,
        limit: int,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Any:  # noqa: ANN401 - click's
        filters = {
            "numbers": numbers,
            "topic": topic,
            "reason": reason,
            "event_id": event_id,
            "since": since,
            "limit": limit,
        }
        return command(*args, filters=filters, **options)

    return functools.reduce(lambda inner, option: option(inner), reversed(_FILTERS), wrapped)


@click.command("list", epilog=example("parked list ledger --reason failed"))
@one_consumer
@filtered
@json_option
def parked_list(consumer: "Consumer", *, filters: dict[str, Any], as_json: bool) -> None:
    """List records waiting for their next retry, oldest first."""
    from consumers.runtime.commands.actions.held import list_parked

    list_parked(consumer, filters, as_json=as_json)


@click.command("retry", epilog=example("parked retry ledger --id 17"))
@one_consumer
@filtered
@json_option
def parked_retry(consumer: "Consumer", *, filters: dict[str, Any], as_json: bool) -> None:
    """Make parked records due now: the running consumer retries them at once."""
    from consumers.runtime.commands.actions.held import retry_parked

    retry_parked(consumer, filters, as_json=as_json)


@click.command("list", epilog=example("dlq list ledger", "dlq list ledger --reason poison --json"))
@one_consumer
@filtered
@json_option
def dlq_list(consumer: "Consumer", *, filters: dict[str, Any], as_json: bool) -> None:
    """List dead records, oldest first: they wait for an operator."""
    from consumers.runtime.commands.actions.held import list_dead

    list_dead(consumer, filters, as_json=as_json)


@click.command("show", epilog=example("dlq show ledger 17"))
@one_consumer
@click.argument("number", type=int)
@json_option
def dlq_show(consumer: "Consumer", number: int, *, as_json: bool) -> None:
    """Show record NUMBER with its content, dead or parked.

    Key, value and headers are printed as text if they are text, as base64 otherwise,
    under a name that shows which. With --json, `key`, `value` and `headers` are
    always base64; `key_text`, `value_text` and `headers_text` are null if it is not
    text.
    """
    from consumers.runtime.commands.actions.held import show_held

    show_held(consumer, number, as_json=as_json)


@click.command(
    "replay", epilog=example("dlq replay ledger --reason poison", "dlq replay ledger --id 17 --yes")
)
@one_consumer
@filtered
@click.option("--yes", is_flag=True, help="Do it. Without, only list what would be replayed.")
@click.option(
    "--rate",
    type=decimal_number(0.01, 10_000),
    default=50,
    show_default=True,
    help="Records per second.",
)
@click.option(
    "--wait",
    type=decimal_number(0),
    default=30,
    show_default=True,
    help="Seconds without progress after which the command stops waiting for results.",
)
@json_option
def dlq_replay(
    consumer: "Consumer",
    *,
    filters: dict[str, Any],
    yes: bool,
    rate: float,
    wait: float,
    as_json: bool,
) -> None:
    """Make the running consumer try dead records again, with their event ids.

    Events that were applied in the meantime have no second effect. The operation
    and its author are recorded. Exits with status 1 if a record is dead again or was
    not tried.
    """
    from consumers.runtime.commands.actions.held import replay_dead
    from consumers.runtime.commands.actions.replay import Pace

    replay_dead(consumer, filters, Pace(rate, wait, not as_json) if yes else None, as_json=as_json)


@click.command("history", epilog=example("dlq history ledger --limit 20"))
@one_consumer
@limit_option(100)
@json_option
def dlq_history(consumer: "Consumer", *, limit: int, as_json: bool) -> None:
    """List operations with author and time, newest last: replays, resets, the brake."""
    from consumers.runtime.commands.actions.held import show_history

    show_history(consumer, limit, as_json=as_json)
