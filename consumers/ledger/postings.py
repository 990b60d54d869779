"""What a position means in the books, and what an event therefore posts. Pure.

The books of a position are a function of the position alone, `implied`; an
event posts the difference it makes to them. So the same money told twice, in
different words or in another order, is booked once.

| known | posting, in the currency of each amount |
|---|---|
| payment confirmed or overpaid | wallet +amount, payments -amount |
| … above the expected amount, in the same currency | the surplus: suspense instead of payments |
| payment underpaid | wallet +amount, suspense -amount, until it is confirmed |
| … claimed by the gateway, not seen on chain | claimed instead of wallet, until it is seen |
| payout confirmed | payouts +amount, wallet -amount |
| fee, gas of what is paid | fees or gas +amount, wallet -amount |
| refunded, disputed | refunds or disputes +amount, wallet -amount |
| returned | wallet +amount, returns -amount |

Nothing is booked before an amount is known, and nothing is taken back that
was never booked: a refund that overtakes its confirmation waits for it. What
was taken back is the highest amount told for it, or all where none was told.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal, FloatOperation, Inexact, InvalidOperation, localcontext
from typing import NamedTuple

from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.position import Claim, Position, Rank

_DIGITS = 200
"""More than any sum of amounts has; what would not fit raises instead of rounding."""


class Place(NamedTuple):
    """Where an amount is posted: an account, in a currency."""

    account: LedgerAccount
    currency: str


Books = Mapping[Place, Decimal]
"""Amounts by place, none of them zero; per currency they sum to zero."""


class _Move(NamedTuple):
    """Money from one purpose to another."""

    amount: Decimal
    currency: str
    source: Purpose
    target: Purpose


@contextmanager
def exact() -> Iterator[None]:
    """Compute with Decimal without rounding: Python's default would keep 28 digits only."""
    traps = [FloatOperation, Inexact, InvalidOperation]
    with localcontext(Context(prec=_DIGITS, traps=traps)):
        yield


def implied(position: Position) -> Books:
    """Return all that a position's events so far mean in the books."""
    if position.held[0] is None:
        return {}
    books: dict[Place, Decimal] = {}
    with exact():
        for move in _moves(position):
            source = _place(position, move.source, move.currency)
            target = _place(position, move.target, move.currency)
            books[target] = books.get(target, Decimal(0)) + move.amount
            books[source] = books.get(source, Decimal(0)) - move.amount
    return {place: amount for place, amount in books.items() if amount}


def difference(before: Books, after: Books) -> Books:
    """Return what has to be posted to come from one state of the books to the other."""
    if not before:
        return after
    if before == after:
        return {}
    with exact():
        changes = {
            place: after.get(place, Decimal(0)) - before.get(place, Decimal(0))
            for place in {**after, **before}
        }
    return {place: amount for place, amount in changes.items() if amount}


def _place(position: Position, purpose: Purpose, currency: str) -> Place:
    if purpose is Purpose.WALLET and position.is_claim:
        purpose = Purpose.CLAIMED
    account = LedgerAccount(position.account, position.provider, purpose, position.network)
    return Place(account, currency)


def _moves(position: Position) -> Iterator[_Move]:
    held, currency = position.held
    if held is None or currency is None:
        return
    if position.family == "payment":
        yield from _payment(position, held, currency)
    if position.family == "payout":
        yield from _payout(position, held, currency)


def _payment(position: Position, held: Decimal, currency: str) -> Iterator[_Move]:
    surplus = _surplus(position, held, currency)
    yield _Move(held - surplus, currency, Purpose.PAYMENTS, Purpose.WALLET)
    yield _Move(surplus, currency, Purpose.SUSPENSE, Purpose.WALLET)
    yield from _costs(position)
    if position.refunded:
        told = (position.refunded_amount, position.refunded_currency)
        amount = _taken_back(told, (held, currency))
        yield _Move(amount, currency, Purpose.WALLET, Purpose.REFUNDS)
    if position.disputed:
        told = (position.disputed_amount, position.disputed_currency)
        amount = _taken_back(told, (held, currency))
        yield _Move(amount, currency, Purpose.WALLET, Purpose.DISPUTES)


def _payout(position: Position, held: Decimal, currency: str) -> Iterator[_Move]:
    yield _Move(held, currency, Purpose.WALLET, Purpose.PAYOUTS)
    yield from _costs(position)
    if position.returned:
        told = (position.returned_amount, position.returned_currency)
        amount = _taken_back(told, (held, currency))
        yield _Move(amount, currency, Purpose.RETURNS, Purpose.WALLET)


def _costs(position: Position) -> Iterator[_Move]:
    if position.rank < Rank.PAID:
        return
    if position.fee is not None and position.fee_currency is not None:
        yield _Move(position.fee, position.fee_currency, Purpose.WALLET, Purpose.FEES)
    if position.gas is not None and position.gas_currency is not None:
        yield _Move(position.gas, position.gas_currency, Purpose.WALLET, Purpose.GAS)


def _surplus(position: Position, held: Decimal, currency: str) -> Decimal:
    """Return what of a payment is not for its order: all while partial, else above the price."""
    if position.rank < Rank.PAID:
        return held
    if position.expected is None or position.expected_currency != currency:
        return Decimal(0)
    return max(held - position.expected, Decimal(0))


def _taken_back(told: Claim, whole: tuple[Decimal, str]) -> Decimal:
    """Return the amount told, all where none was told, and nothing of another currency."""
    amount, currency = told
    if amount is None:
        return whole[0]
    return amount if currency == whole[1] else Decimal(0)
