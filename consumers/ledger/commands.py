"""`payrouter ledger balance`, `statement`, `verify` and `export`."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from consumers.ledger.moments import at_option, from_option, to_option
from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.options import json_option, limit_option

if TYPE_CHECKING:
    from consumers.runtime.settings import ConsumerSettings


@click.command("balance", epilog=example("ledger balance", "ledger balance --at 2026-11-22"))
@settings_of("ledger")
@at_option
@json_option
def balance(settings: "ConsumerSettings", at: datetime | None, *, as_json: bool) -> None:
    """Show the balance of every account, per currency.

    Exits with status 1 if the books do not balance.
    """
    from consumers.ledger.commands_books import show_balance

    show_balance(settings, at, as_json=as_json)


@click.command(
    "statement",
    epilog=example("ledger statement --order A-1", "ledger statement --account shop-eu:blockatm"),
)
@settings_of("ledger")
@click.option("--account", help="Ledger account, or the beginning of its name: shop-eu:blockatm")
@click.option("--order", help="Reference of the order, or the gateway's number of the payment.")
@at_option
@from_option
@to_option
@click.option(
    "--unbooked",
    is_flag=True,
    help="Show payments and payouts whose amount is unknown instead.",
)
@limit_option(50)
@json_option
def statement(  # noqa: PLR0913 - one argument per option
    settings: "ConsumerSettings",
    *,
    account: str | None,
    order: str | None,
    at: datetime | None,
    since: datetime | None,
    before: datetime | None,
    unbooked: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show the newest transactions with their postings, oldest first."""
    if unbooked and any(option is not None for option in (account, order, at, since, before)):
        message = "--unbooked can be combined with --limit and --json only"
        raise click.UsageError(message)
    from consumers.ledger.commands_books import show_statement, show_unbooked
    from consumers.ledger.reading.statement import Period, Selection

    if unbooked:
        show_unbooked(settings, limit, as_json=as_json)
    else:
        wanted = Selection(account, order, Period(since, before, at), limit)
        show_statement(settings, wanted, as_json=as_json)


@click.command("verify", epilog=example("ledger verify"))
@settings_of("ledger")
@json_option
def verify(settings: "ConsumerSettings", *, as_json: bool) -> None:
    """Recompute the books from the journal.

    Checks that every transaction has all its lines and sums to zero per currency,
    that running balances are the sums of their postings, and that the state of each
    payment is what its events have posted. Exits with status 1 and a list if
    anything is wrong.
    """
    from consumers.ledger.commands_audit import verify_books

    verify_books(settings, as_json=as_json)


@click.command(
    "export",
    epilog=example(
        "ledger export --from 2026-11-01 > journal.csv",
        "ledger export --operations > operations.jsonl",
    ),
)
@settings_of("ledger")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv"]),
    default="csv",
    show_default=True,
    help="Format of the output.",
)
@click.option(
    "--operations",
    is_flag=True,
    help="Write transfers, decisions about cases and the record of operations instead, as JSON"
    " lines for `payrouter ledger import`.",
)
@from_option
@to_option
def export(
    settings: "ConsumerSettings",
    *,
    form: str,
    operations: bool,
    since: datetime | None,
    before: datetime | None,
) -> None:
    """Write the journal to standard output, one posting per line, in order.

    Amounts are text, exact to the last digit. Progress goes to standard error.
    """
    del form  # there is one
    if operations:
        if since is not None or before is not None:
            message = "--operations writes all of them: leave out --from and --to"
            raise click.UsageError(message)
        from consumers.ledger.transfers.exporting import export_operations

        export_operations(settings)
        return
    from consumers.ledger.commands_audit import export_journal
    from consumers.ledger.reading.statement import Period

    export_journal(settings, Period(since, before))
