"""`payrouter ledger record`."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.completion import complete_from
from router.terminal.options import json_option, moment

if TYPE_CHECKING:
    from consumers.runtime.settings import ConsumerSettings

TYPES = (
    *("payment.confirmed", "payment.underpaid", "payment.overpaid", "payment.reversed"),
    *("payment.refunded", "payment.refund_failed", "payment.disputed"),
    *("payment.dispute_returned", "payout.confirmed", "payout.returned"),
)
"""Types of events that report a transfer of money."""


def _amount(_context: click.Context, _parameter: click.Parameter, value: str) -> Decimal:
    from router.contract.amounts import AmountError, parse_amount

    try:
        return parse_amount(value)
    except AmountError as error:
        message = f"{value!r}: {error}"
        raise click.BadParameter(message) from None


def _filled(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse text without visible characters; remove blanks around it."""
    if value is not None and not value.strip():
        message = "must not be empty"
        raise click.BadParameter(message)
    return value and value.strip()


@click.command(
    "record",
    epilog=example(
        "ledger record 17 --type payout.confirmed --amount 9 --currency EUR",
    ),
)
@settings_of("ledger")
@click.argument("payment", callback=_filled)
@click.option(
    "--type",
    "kind",
    type=click.Choice(TYPES),
    metavar="TYPE",
    required=True,
    shell_complete=complete_from(lambda: TYPES),
    help=f"What happened: {', '.join(TYPES)}.",
)
@click.option(
    "--amount",
    required=True,
    callback=_amount,
    metavar="AMOUNT",
    help="The total so far; with --movement, the amount of that transfer. 0: none.",
)
@click.option("--currency", required=True, callback=_filled, help="Currency: USDT.")
@click.option(
    "--movement", callback=_filled, help="The gateway's id of one refund, dispute or transfer."
)
@click.option("--network", callback=_filled, help="Network, if no event named it: Ethereum.")
@click.option(
    "--account", callback=_filled, help="Merchant account, if PAYMENT is ambiguous or new."
)
@click.option("--provider", callback=_filled, help="Gateway, if PAYMENT is ambiguous or new.")
@click.option("--order", callback=_filled, help="Merchant's reference, if no event named it.")
@click.option(
    "--at",
    callback=moment,
    metavar="TIME",
    help="When the money moved: 2026-11-22T10:00:00Z; default: now.",
)
@click.option("--reason", callback=_filled, help="Why; everyone can read it. Needed with --yes.")
@click.option("--yes", is_flag=True, help="Do it. Without, only show what would change.")
@click.option("--version", callback=_filled, help="Version that was shown; needed with --yes.")
@json_option
def record(  # noqa: PLR0913 - one argument per option
    settings: "ConsumerSettings",
    *,
    payment: str,
    kind: str,
    amount: Decimal,
    currency: str,
    movement: str | None,
    network: str | None,
    account: str | None,
    provider: str | None,
    order: str | None,
    at: datetime | None,
    reason: str | None,
    yes: bool,
    version: str | None,
    as_json: bool,
) -> None:
    """Record an amount of PAYMENT that no gateway reported, or not the right one.

    PAYMENT is the gateway's reference of the payment or payout. The amount that an
    operator records counts, even if the gateway reports more. A case opens if the
    gateway reports one that was not shown here.

    Without --yes, shows what is known, and what would be posted, opened and closed.
    With --yes and the version that was shown, the statement becomes an event of
    provider `operator`, which the ledger publishes and every consumer applies. It is
    refused with status 1 if the payment changed since that version. The operation
    and its author are recorded.
    """
    if yes and version is None:
        message = "--yes needs --version: run the command without --yes first, which prints it"
        raise click.UsageError(message)
    if yes and reason is None:
        message = "--yes needs --reason"
        raise click.UsageError(message)
    from consumers.ledger.recording.finding import Sought
    from consumers.ledger.recording.screen import run_record
    from consumers.ledger.recording.statement import Statement
    from router.contract.event import EventType
    from router.terminal.operator_name import operator_name

    event_type = EventType(kind)
    run_record(
        settings,
        Sought(event_type.family, payment, account, provider, order),
        Statement(event_type, amount, currency, reason, operator_name(), movement, network, at),
        version if yes else None,
        as_json=as_json,
    )
