"""Lists, shows, retries and replays held records."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from consumers.runtime.commands.actions.held_admin import (
    Filter,
    HeldContent,
    HeldRow,
    Operation,
    about,
    content,
    list_held,
    list_operations,
    make_due,
)
from consumers.runtime.commands.actions.replay import Pace, replay_paced
from consumers.runtime.configured import Consumer
from consumers.runtime.fate import Fate
from consumers.runtime.store.database import acting, reading
from router.terminal.exits import EXIT_PROBLEM, CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_fields, show_json, show_table
from router.terminal.processes import run_async

_COLUMNS = ("no.", "from", "offset", "event", "reason", "tries", "held since", "error")


def list_parked(consumer: Consumer, filters: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the parked records that match."""
    _show_rows(consumer, _listed(consumer, Fate.PARKED, filters), Fate.PARKED, as_json=as_json)


def list_dead(consumer: Consumer, filters: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the dead records that match."""
    _show_rows(consumer, _listed(consumer, Fate.DEAD, filters), Fate.DEAD, as_json=as_json)


def retry_parked(consumer: Consumer, filters: Mapping[str, Any], *, as_json: bool) -> None:
    """Make parked records due now; records the operation."""
    wanted = Filter(**filters)

    async def retry() -> int:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            return len(await make_due(transaction, consumer.tables, wanted, operator_name()))

    number = run_async(retry())
    if as_json:
        show_json({"due": number})
    else:
        click.echo(f"{number} parked records are due now")


def show_held(consumer: Consumer, number: int, *, as_json: bool) -> None:
    """Print one held record with its content."""

    async def read() -> tuple[Sequence[HeldRow], HeldContent | None]:
        async with reading(consumer.settings) as connection:
            rows: list[HeldRow] = []
            for state in (Fate.DEAD, Fate.PARKED):
                wanted = Filter(numbers=(number,))
                rows += await list_held(connection, consumer.tables, state, wanted)
            return rows, await content(connection, consumer.tables, number)

    rows, inside = run_async(read())
    if not rows or inside is None:
        message = f"{consumer.service.name} holds no record {number}"
        raise CommandError(message)
    if as_json:
        show_json({**rows[0].as_json(), **inside.as_json()})
    else:
        title = f"{consumer.service.name}, record {number}"
        show_fields(title, {**rows[0].as_json(), **inside.readable()})


def replay_dead(
    consumer: Consumer, filters: Mapping[str, Any], pace: Pace | None, *, as_json: bool
) -> None:
    """Replay dead records at a pace, or print what would be replayed if there is none."""
    found = _listed(consumer, Fate.DEAD, filters)
    rows = [row for row in found if row.is_whole]
    if pace is None:
        _show_rows(consumer, rows, Fate.DEAD, as_json=as_json)
        if not as_json:
            click.echo(f"{len(rows)} records would be tried again; --yes does it")
        return
    numbers = [row.id for row in rows]
    detail = about(numbers, Filter(**filters))
    outcomes = run_async(replay_paced(consumer, numbers, detail, pace))
    if as_json:
        show_json({"replayed": len(rows), "outcomes": outcomes})
    else:
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        click.echo(f"{len(rows)} records replayed: {counts or 'nothing'}")
    good = sum(outcomes.get(outcome, 0) for outcome in ("applied", "stale", "duplicate"))
    sys.exit(0 if good == len(rows) else EXIT_PROBLEM)


def show_history(consumer: Consumer, limit: int, *, as_json: bool) -> None:
    """Print the last operations on a consumer."""

    async def read() -> Sequence[Operation]:
        async with reading(consumer.settings) as connection:
            return await list_operations(connection, consumer.tables, limit)

    done = run_async(read())
    if as_json:
        show_json([each.as_json() for each in done])
        return
    rows = [(f"{each.at:%Y-%m-%d %H:%M:%S %Z}", each.who, each.what, each.detail) for each in done]
    show_table(f"{consumer.service.name}, operations", ("when", "who", "what", "detail"), rows)


def _listed(consumer: Consumer, state: str, filters: Mapping[str, Any]) -> Sequence[HeldRow]:
    async def read() -> Sequence[HeldRow]:
        async with reading(consumer.settings) as connection:
            return await list_held(connection, consumer.tables, state, Filter(**filters))

    return run_async(read())


def _show_rows(consumer: Consumer, rows: Sequence[HeldRow], state: str, *, as_json: bool) -> None:
    if as_json:
        show_json([row.as_json() for row in rows])
        return
    title = f"{consumer.service.name}, {len(rows)} records {state}"
    show_table(title, _COLUMNS, [_cells(row) for row in rows], numbers=("no.", "offset", "tries"))


def _cells(row: HeldRow) -> Sequence[object]:
    return (
        row.id,
        f"{row.topic}-{row.partition}",
        row.offset,
        row.event_id or "",
        row.reason,
        row.attempts,
        f"{row.first_failed_at:%Y-%m-%d %H:%M:%S}",
        row.error,
    )
