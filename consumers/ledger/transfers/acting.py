"""Shows what a transfer would change, and posts it."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import SCHEMA
from consumers.ledger.transfers.planning import ChangedBalance, TransferPlan, plan_transfer
from consumers.ledger.transfers.request import TransferRequest
from consumers.ledger.transfers.transfer import Transfer, post_transfers
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import StoreUnavailable, acting, reading
from consumers.runtime.store.tables import RuntimeTables
from router.contract.amounts import amount_text
from router.terminal.exits import CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async


def transfer_money(
    settings: ConsumerSettings, request: TransferRequest, *, yes: bool, as_json: bool
) -> None:
    """Print balances before and after a transfer, and post it if that is confirmed."""
    number = None
    if yes:
        plan, number = run_async(post_requested(settings, request))
    else:
        plan = run_async(_planned(settings, request))
    if as_json:
        show_json(_as_json(plan, number))
    else:
        _show(plan, number)


async def _planned(settings: ConsumerSettings, request: TransferRequest) -> TransferPlan:
    async with reading(settings) as connection:
        return await plan_transfer(connection, request, operator_name())


async def post_requested(
    settings: ConsumerSettings, request: TransferRequest
) -> tuple[TransferPlan, int]:
    """Post a transfer and return it with the number of its transaction.

    Raises CommandError if it cannot be posted, or if it is unknown whether it was.
    """
    plan = None
    try:
        async with acting(settings) as engine, engine.begin() as transaction:
            plan = await plan_transfer(transaction, request, operator_name())
            number = await _post(transaction, plan.transfer)
    except StoreUnavailable as problem:
        if plan is None:
            raise
        # The connection may have been lost after the database committed.
        message = (
            f"{problem}; before trying again, see whether the transfer was posted:"
            f" `payrouter trace {plan.transfer.id}`"
        )
        raise CommandError(message) from problem
    return plan, number


async def _post(transaction: AsyncConnection, transfer: Transfer) -> int:
    await record_operation(
        transaction,
        RuntimeTables.of(SCHEMA),
        transfer.who,
        "ledger transfer",
        f"{transfer.id}: {_summary(transfer)}: {transfer.reason}",
    )
    numbers = await post_transfers(transaction, [transfer])
    if transfer.id not in numbers:
        message = f"{transfer.undoes} was undone by someone else just now"
        raise CommandError(message)
    return numbers[transfer.id]


def _summary(transfer: Transfer) -> str:
    money = f"{amount_text(transfer.amount)} {transfer.currency}"
    return f"{money} from {transfer.source.name} to {transfer.target.name}"


def _show(plan: TransferPlan, number: int | None) -> None:
    columns = ("account", "network", "currency", "before", "after")
    show_table("", columns, map(_row, plan.balances), numbers=columns[3:])
    for warning in plan.warnings:
        click.echo(f"warning: {warning}")
    what = f"{_summary(plan.transfer)}, dated {plan.transfer.at.isoformat()}"
    if number is None:
        click.echo(f"would move {what}; --yes does it")
    else:
        click.echo(f"moved {what}: transfer {plan.transfer.id}, transaction {number}")


def _row(each: ChangedBalance) -> tuple[str, ...]:
    amounts = (amount_text(each.before), amount_text(each.after))
    return each.account.name, each.account.network or "", each.currency, *amounts


def _as_json(plan: TransferPlan, number: int | None) -> dict[str, object]:
    transfer = plan.transfer
    balances = [
        {
            "account": each.account.name,
            "network": each.account.network,
            "currency": each.currency,
            "before": amount_text(each.before),
            "after": amount_text(each.after),
        }
        for each in plan.balances
    ]
    return {
        "done": number is not None,
        # An id that is not posted could be mistaken for one that is.
        "transfer": None if number is None else str(transfer.id),
        "transaction": number,
        "at": transfer.at.isoformat(),
        "undoes": None if transfer.undoes is None else str(transfer.undoes),
        "balances": balances,
        "warnings": list(plan.warnings),
    }
