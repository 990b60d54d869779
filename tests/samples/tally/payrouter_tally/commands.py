"""`payrouter tally show`."""

from collections.abc import Sequence
from decimal import Decimal

import click
from sqlalchemy import func, select

from consumers.runtime.commands.one_consumer import settings_of
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading
from payrouter_tally.tables import COUNTED
from router.contract.amounts import amount_text
from router.terminal.command_tree import example
from router.terminal.options import json_option
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

Line = tuple[str, str, int, Decimal]


@click.command("show", epilog=example("tally show"))
@settings_of("tally")
@json_option
def show(settings: ConsumerSettings, *, as_json: bool) -> None:
    """Show how much was paid, per account and currency."""
    lines = run_async(_read(settings))
    rows = [(account, currency, n, amount_text(total)) for account, currency, n, total in lines]
    columns = ("account", "currency", "payments", "total")
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table("tally", columns, rows, numbers=columns[2:])


async def _read(settings: ConsumerSettings) -> Sequence[Line]:
    place = (COUNTED.c.account, COUNTED.c.currency)
    query = select(*place, func.count(), func.sum(COUNTED.c.amount)).group_by(*place)
    async with reading(settings) as connection:
        rows = await connection.execute(query.order_by(*place))
        return [(account, currency, n, total) for account, currency, n, total in rows]
