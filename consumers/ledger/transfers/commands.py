"""`payrouter ledger transfer` and `import`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.options import json_option, moment

if TYPE_CHECKING:
    from consumers.runtime.settings import ConsumerSettings


@click.command(
    "transfer",
    epilog=example(
        "ledger transfer a:pay:payments a:pay:suspense 20 USDT --reason tip",
        "ledger transfer a:pay:wallet a:pay:bank 90 EUR --reason paid --yes",
        'ledger transfer --undo 3f9a1c02 --reason "wrong account" --yes',
    ),
)
@settings_of("ledger")
@click.argument("source", metavar="FROM", required=False)
@click.argument("target", metavar="TO", required=False)
@click.argument("amount", metavar="AMOUNT", required=False)
@click.argument("currency", metavar="CURRENCY", required=False)
@click.option("--reason", required=True, help="Why; stored permanently, with your name.")
@click.option(
    "--at",
    callback=moment,
    metavar="TIME",
    help="When it happened: 2026-11-22 or 2026-11-22T10:00:00Z; default: now.",
)
@click.option("--reference", help="The order it is about; `payrouter trace` then shows it.")
@click.option("--undo", metavar="ID", help="Take back this transfer: its id, or the beginning.")
@click.option("--yes", is_flag=True, help="Post it. Without, only show what it would change.")
@json_option
def transfer(  # noqa: PLR0913 - one argument per option
    settings: "ConsumerSettings",
    *,
    source: str | None,
    target: str | None,
    amount: str | None,
    currency: str | None,
    reason: str,
    at: datetime | None,
    reference: str | None,
    undo: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Move AMOUNT from one account to another of the same merchant.

    AMOUNT is subtracted from the balance of FROM and added to that of TO, which are names as
    `payrouter ledger balance` prints them. If a name is on several networks, NAME@NETWORK is one
    of them. Suspense and payments are below zero: money is assigned FROM payments TO suspense.

    Accounts with the purposes bank, exchange and write_off are opened by their first transfer.
    """
    from consumers.ledger.transfers.acting import transfer_money
    from consumers.ledger.transfers.request import TransferRequest, checked_text, movement_of

    words = (source, target, amount, currency)
    if undo is not None and any(word is not None for word in words):
        message = "--undo takes back a whole transfer: leave out FROM, TO, AMOUNT and CURRENCY"
        raise click.UsageError(message)
    what = movement_of(words) if undo is None else checked_text("--undo", undo)
    named = None if reference is None else checked_text("--reference", reference)
    request = TransferRequest(what, checked_text("--reason", reason), at, named)
    transfer_money(settings, request, yes=yes, as_json=as_json)


@click.command("import", epilog=example("ledger import operations.jsonl --yes"))
@settings_of("ledger")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Write it. Without, only show what is missing here.")
@json_option
def import_(settings: "ConsumerSettings", file: Path, *, yes: bool, as_json: bool) -> None:
    """Add the transfers and decisions of FILE, from `payrouter ledger export --operations`.

    For a ledger that was rebuilt from the topics. What is here already stays as it is, so that the
    same file can be imported again. All of it is written, or nothing.
    """
    from consumers.ledger.transfers.importing import import_operations

    import_operations(settings, file, yes=yes, as_json=as_json)
