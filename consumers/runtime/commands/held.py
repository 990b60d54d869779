"""`payrouter parked list|retry NAME` and `payrouter dlq list|show|replay NAME`."""

import functools
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.commands.held_admin import (
    Content,
    Filter,
    HeldRow,
    Operation,
    about,
    content,
    list_held,
    list_operations,
    record_operation,
    retry_now,
)
from consumers.runtime.commands.one_consumer import (
    EXIT_PROBLEM,
    answered,
    json_option,
    operator,
    show_json,
    show_table,
)
from consumers.runtime.commands.replay import Pace, replay_paced
from consumers.runtime.configured import Consumer
from consumers.runtime.fate import Fate
from consumers.runtime.store.database import acting, reading

_FILTERS = (
    click.option("--id", "numbers", type=int, multiple=True, help="Number; may be repeated."),
    click.option("--topic", help="Topic it came from, by its name on the broker."),
    click.option("--reason", type=click.Choice([each.value for each in HeldReason])),
    click.option("--event", "event_id", type=click.UUID, help="Event id."),
    click.option("--since", type=click.DateTime(), help="Held at this time (UTC) or later."),
    click.option(
        "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At most."
    ),
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters, and as its argument `wanted` what they say."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401
        numbers: tuple[int, ...],
        topic: str | None,
        reason: str | None,
        event_id: UUID | None,
        since: datetime | None,
        limit: int,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        since = None if since is None else since.replace(tzinfo=UTC)
        wanted = Filter(numbers, topic, reason, event_id, since, limit)
        return command(*args, wanted=wanted, **options)

    return functools.reduce(lambda inner, option: option(inner), reversed(_FILTERS), wrapped)


@click.command("list")
@filtered
@json_option
@click.pass_obj
def parked_list(consumer: Consumer, *, wanted: Filter, as_json: bool) -> None:
    """Show the parked records of NAME, oldest first: they are tried again by themselves."""
    _show_rows(consumer, _listed(consumer, Fate.PARKED, wanted), Fate.PARKED, as_json=as_json)


@click.command("retry")
@filtered
@json_option
@click.pass_obj
def parked_retry(consumer: Consumer, *, wanted: Filter, as_json: bool) -> None:
    """Have parked records of NAME tried at once by the running consumer."""

    async def make_due() -> int:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            numbers = await retry_now(transaction, consumer.tables, wanted)
            detail = about(numbers, wanted)
            await record_operation(transaction, consumer.tables, operator(), "parked retry", detail)
            return len(numbers)

    number = answered(make_due())
    if as_json:
        show_json({"due": number})
    else:
        click.echo(f"{number} parked records are due now")


@click.command("list")
@filtered
@json_option
@click.pass_obj
def dlq_list(consumer: Consumer, *, wanted: Filter, as_json: bool) -> None:
    """Show the dead records of NAME, oldest first: they wait for a person."""
    _show_rows(consumer, _listed(consumer, Fate.DEAD, wanted), Fate.DEAD, as_json=as_json)


@click.command("show")
@click.argument("number", type=int)
@json_option
@click.pass_obj
def dlq_show(consumer: Consumer, number: int, *, as_json: bool) -> None:
    """Show record NUMBER of NAME with its content, bytes as base64."""

    async def read() -> tuple[Sequence[HeldRow], Content | None]:
        async with reading(consumer.settings) as connection:
            rows: list[HeldRow] = []
            for state in (Fate.DEAD, Fate.PARKED):
                wanted = Filter(numbers=(number,))
                rows += await list_held(connection, consumer.tables, state, wanted)
            return rows, await content(connection, consumer.tables, number)

    rows, inside = answered(read())
    if not rows or inside is None:
        message = f"{consumer.service.name} holds no record {number}"
        raise click.ClickException(message)
    whole = {**rows[0].as_json(), **inside.as_json()}
    if as_json:
        show_json(whole)
    else:
        title = f"{consumer.service.name}, record {number}"
        show_table(title, ("field", "value"), list(whole.items()))


@click.command("replay")
@filtered
@click.option("--yes", is_flag=True, help="Do it; without, only show what would be replayed.")
@click.option(
    "--rate", type=click.FloatRange(0.01, 10_000), default=50, show_default=True, help="Per second."
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=30,
    show_default=True,
    help="So many seconds without any progress, and it is no longer watched.",
)
@json_option
@click.pass_obj
def dlq_replay(
    consumer: Consumer, *, wanted: Filter, yes: bool, rate: float, wait: float, as_json: bool
) -> None:
    """Have dead records of NAME tried again by the running consumer, under their event ids.

    What was applied meanwhile has no second effect. Fails if any is dead again
    or was not tried.
    """
    found = _listed(consumer, Fate.DEAD, wanted)
    rows = [row for row in found if row.reason != HeldReason.UNFETCHABLE.value]
    if not yes:
        _show_rows(consumer, rows, Fate.DEAD, as_json=as_json)
        if not as_json:
            click.echo(f"{len(rows)} records would be tried again; --yes does it")
        return
    numbers = [row.id for row in rows]
    pace = Pace(rate, wait, visible=not as_json)
    words = answered(replay_paced(consumer, numbers, about(numbers, wanted), pace))
    if as_json:
        show_json({"replayed": len(rows), "outcomes": words})
    else:
        counts = ", ".join(f"{number} {word}" for word, number in sorted(words.items()))
        click.echo(f"{len(rows)} records replayed: {counts or 'nothing'}")
    good = words.get("applied", 0) + words.get("stale", 0) + words.get("duplicate", 0)
    sys.exit(0 if good == len(rows) else EXIT_PROBLEM)


@click.command("history")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="The last."
)
@json_option
@click.pass_obj
def dlq_history(consumer: Consumer, *, limit: int, as_json: bool) -> None:
    """Show what was done to NAME by whom and when, newest last: replays, resets, the brake."""

    async def read() -> Sequence[Operation]:
        async with reading(consumer.settings) as connection:
            return await list_operations(connection, consumer.tables, limit)

    done = answered(read())
    if as_json:
        show_json([each.as_json() for each in done])
        return
    rows = [(f"{each.at:%Y-%m-%d %H:%M:%S %Z}", each.who, each.what, each.detail) for each in done]
    show_table(f"{consumer.service.name}, what was done", ("when", "who", "what", "detail"), rows)


def _listed(consumer: Consumer, state: str, wanted: Filter) -> Sequence[HeldRow]:
    async def read() -> Sequence[HeldRow]:
        async with reading(consumer.settings) as connection:
            return await list_held(connection, consumer.tables, state, wanted)

    return answered(read())


def _show_rows(consumer: Consumer, rows: Sequence[HeldRow], state: str, *, as_json: bool) -> None:
    if as_json:
        show_json([row.as_json() for row in rows])
        return
    show_table(
        f"{consumer.service.name}, {len(rows)} records {state}",
        ("no.", "from", "offset", "event", "reason", "tries", "held since", "error"),
        [
            (
                row.id,
                f"{row.topic}-{row.partition}",
                row.offset,
                row.event_id or "",
                row.reason,
                row.attempts,
                f"{row.first_failed_at:%Y-%m-%d %H:%M:%S}",
                row.error,
            )
            for row in rows
        ],
        numbers=("no.", "offset", "tries"),
    )
