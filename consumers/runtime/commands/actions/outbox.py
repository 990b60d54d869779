"""Shows a consumer's outbox, and queues refused records again."""

import sys

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.outbox import OutboxContents, read_outbox, retry_refused
from consumers.runtime.commands.actions.held_admin import record_operation, with_reason
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import RuntimeTables
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async


def show_outbox(consumer: Consumer, *, as_json: bool) -> None:
    """Print what waits and what was refused; exits with status 1 if anything was refused."""

    async def read() -> OutboxContents:
        async with reading(consumer.settings) as connection:
            return await read_outbox(connection, consumer.tables)

    found = run_async(read())
    if as_json:
        show_json(found.as_json())
    else:
        since = "" if found.oldest is None else f", since {found.oldest:%Y-%m-%d %H:%M:%S}"
        click.echo(f"{found.waiting} records wait to be published{since}")
        show_table(
            f"{consumer.service.name}, {len(found.refused)} refused by the broker",
            ("no.", "topic", "bytes", "refused for", "since"),
            [
                (each.number, each.topic, each.size, each.error, f"{each.since:%Y-%m-%d %H:%M:%S}")
                for each in found.refused
            ],
            numbers=("no.", "bytes"),
        )
    sys.exit(EXIT_PROBLEM if found.refused else 0)


def retry_outbox(consumer: Consumer, *, as_json: bool) -> None:
    """Queue refused records again; records the operation."""

    async def again() -> int:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            return await queue_again(transaction, consumer.tables, operator_name())

    number = run_async(again())
    if as_json:
        show_json({"waiting": number})
    else:
        click.echo(f"{number} refused records wait to be published again")


async def queue_again(
    transaction: AsyncConnection, tables: RuntimeTables, who: str, why: str = ""
) -> int:
    """Queue refused records again and record the operation; return how many."""
    number = await retry_refused(transaction, tables)
    detail = with_reason(f"{number} records", why)
    await record_operation(transaction, tables, who, "outbox retry", detail)
    return number
