"""What an operator asks for, as typed; checked before the database is opened."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import click

from router.contract.amounts import AmountError, parse_amount
from router.contract.fields import MAX_TEXT, storable


@dataclass(frozen=True)
class Movement:
    """The accounts by name, and a positive amount."""

    source: str
    target: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class TransferRequest:
    """A movement, or the id of the transfer to undo, with the reason.

    `at` is when it happened, now if None.
    """

    what: Movement | str
    reason: str
    at: datetime | None = None
    reference: str | None = None


def movement_of(words: tuple[str | None, ...]) -> Movement:
    """Return the movement that FROM, TO, AMOUNT and CURRENCY name. Raises UsageError."""
    names = ("FROM", "TO", "AMOUNT", "CURRENCY")
    missing = [name for name, word in zip(names, words, strict=True) if word is None]
    if missing:
        message = f"missing {', '.join(missing)}: which accounts, and how much?"
        raise click.UsageError(message)
    source, target, amount, currency = (
        checked_text(name, word or "") for name, word in zip(names, words, strict=True)
    )
    return Movement(source, target, _amount(amount), currency)


def checked_text(name: str, text: str) -> str:
    """Return text that a store can hold, without blanks at its ends. Raises UsageError."""
    found = text.strip()
    if not found:
        message = f"{name}: must not be empty"
        raise click.UsageError(message)
    if len(found) > MAX_TEXT:
        message = f"{name}: {len(found)} characters; at most {MAX_TEXT}"
        raise click.UsageError(message)
    try:
        return storable(found)
    except ValueError as error:
        message = f"{name}: must be {error}"
        raise click.UsageError(message) from None


def _amount(text: str) -> Decimal:
    try:
        amount = parse_amount(text)
    except AmountError as error:
        message = f"AMOUNT: {error}"
        raise click.UsageError(message) from None
    if not amount:
        message = "AMOUNT: must be above zero"
        raise click.UsageError(message)
    return amount
