"""`payrouter outbox show NAME` and `payrouter outbox retry NAME`."""

import sys

import click

from consumers.runtime.apply.outbox import OutboxContents, read_outbox, retry_refused
from consumers.runtime.commands.held_admin import record_operation
from consumers.runtime.commands.one_consumer import (
    EXIT_PROBLEM,
    answered,
    json_option,
    operator,
    show_json,
    show_table,
)
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting, reading


@click.command
@json_option
@click.pass_obj
def show(consumer: Consumer, *, as_json: bool) -> None:
    """Show what NAME has to publish: how much waits, and what the broker refused for good.

    Fails if anything was refused.
    """

    async def read() -> OutboxContents:
        async with reading(consumer.settings) as connection:
            return await read_outbox(connection, consumer.tables)

    found = answered(read())
    if as_json:
        show_json(found.as_json())
    else:
        since = "" if found.oldest is None else f", since {found.oldest:%Y-%m-%d %H:%M:%S}"
        click.echo(f"{found.waiting} wait to be published{since}")
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


@click.command
@json_option
@click.pass_obj
def retry(consumer: Consumer, *, as_json: bool) -> None:
    """Have what the broker refused sent again, after its topic was changed. Who did so is kept."""

    async def again() -> int:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            number = await retry_refused(transaction, consumer.tables)
            detail = f"{number} records"
            await record_operation(transaction, consumer.tables, operator(), "outbox retry", detail)
            return number

    number = answered(again())
    if as_json:
        show_json({"waiting": number})
    else:
        click.echo(f"{number} refused records wait to be published again")
