"""`payrouter ledger balance`, `statement`, `month`, `verify` and `export`."""

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from consumers.ledger.moments import (
    at_option,
    first_option,
    from_option,
    month,
    through_option,
    to_option,
)
from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.options import json_option, limit_option, whole_number

if TYPE_CHECKING:
    from consumers.runtime.settings import ConsumerSettings


_account = click.option(
    "--account", help="Ledger account, or the beginning of its name: shop-eu:blockatm"
)
_currency = click.option("--currency", help="Only amounts in this currency: USDT.")
_network = click.option("--network", help="Only accounts on this network: Ethereum.")


@click.command(
    "balance",
    epilog=example("ledger balance", "ledger balance --account shop-eu --through 2026-11-30"),
)
@settings_of("ledger")
@_account
@_currency
@_network
@at_option
@through_option
@json_option
def balance(  # noqa: PLR0913 - one argument per option
    settings: "ConsumerSettings",
    *,
    account: str | None,
    currency: str | None,
    network: str | None,
    at: datetime | None,
    through: date | None,
    as_json: bool,
) -> None:
    """Show the balance of every account, per currency.

    --at counts what was posted until a time; --through counts the days of the books, as a month
    report does. Exits with status 1 if the books do not balance, unless only some accounts are
    shown.
    """
    if at is not None and through is not None:
        message = "--at and --through exclude each other: one is a time of posting, one a day"
        raise click.UsageError(message)
    from consumers.ledger.commands_books import show_balance, show_balances_of
    from consumers.ledger.reading.selection import LineFilter

    wanted = LineFilter(account, currency=currency, network=network)
    if wanted.is_open:
        show_balance(settings, at, through, as_json=as_json)
    else:
        show_balances_of(settings, wanted, at, through, as_json=as_json)


@click.command(
    "statement",
    epilog=example("ledger statement --order A-1", "ledger statement --account shop-eu:blockatm"),
)
@settings_of("ledger")
@_account
@_currency
@_network
@click.option("--order", help="Reference of the order, or the gateway's number of the payment.")
@at_option
@from_option
@to_option
@first_option
@through_option
@click.option(
    "--below",
    type=whole_number(1),
    metavar="NUMBER",
    help="Only transactions with a lower number: the page before the one shown.",
)
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
    currency: str | None,
    network: str | None,
    order: str | None,
    at: datetime | None,
    since: datetime | None,
    before: datetime | None,
    first: date | None,
    through: date | None,
    below: int | None,
    unbooked: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show the newest transactions with their postings, oldest first."""
    chosen = (account, currency, network, order, at, since, before, first, through, below)
    if unbooked and any(option is not None for option in chosen):
        message = "--unbooked can be combined with --limit and --json only"
        raise click.UsageError(message)
    from consumers.ledger.commands_books import show_statement, show_unbooked
    from consumers.ledger.reading.selection import LineFilter, Period, Selection

    if unbooked:
        show_unbooked(settings, limit, as_json=as_json)
    else:
        lines = LineFilter(account, currency=currency, network=network)
        period = Period(since, before, at, first, through)
        show_statement(settings, Selection(lines, order, period, limit, below), as_json=as_json)


@click.command("month", epilog=example("ledger month 2026-11 --account shop-eu"))
@settings_of("ledger")
@click.argument("first", callback=month, metavar="MONTH")
@_account
@_currency
@_network
@json_option
def month_(
    settings: "ConsumerSettings",
    first: date,
    *,
    account: str | None,
    currency: str | None,
    network: str | None,
    as_json: bool,
) -> None:
    """Show opening balance, movements by type of event, and closing balance of MONTH.

    MONTH is such as 2026-11; its days are those of the books, in UTC. Exits with status 1 if the
    movements of the journal do not explain the difference of the stored balances.
    """
    from consumers.ledger.commands_books import show_month
    from consumers.ledger.reading.selection import LineFilter

    wanted = LineFilter(account, currency=currency, network=network)
    show_month(settings, first, wanted, as_json=as_json)


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
    from consumers.ledger.reading.selection import Period

    export_journal(settings, Period(since, before))
