"""The amounts a position implies in the books, and the postings of an event. Pure.

The amounts of a position are a function of the position alone (`implied`). An
event posts the difference it makes to them. So money that is reported twice, by
different events or in another order, is booked once.

| fact | posting, in the currency of each amount |
|---|---|
| payment confirmed or overpaid | wallet +amount, payments -amount |
| … above the expected amount, in the same currency | the surplus: suspense instead of payments |
| payment underpaid | wallet +amount, suspense -amount until it is confirmed |
| … claimed by the gateway, not seen on chain | claimed instead of wallet until it is seen |
| payout confirmed | payouts +amount, wallet -amount |
| fee or gas of a paid payment or payout | fees or gas +amount, wallet -amount |
| refunded, disputed | refunds or disputes +amount, wallet -amount |
| returned | wallet +amount, returns -amount |

Nothing is booked before an amount is known, and only booked money is taken back:
a refund that arrives before its confirmation takes effect with the confirmation.
The amount taken back is the highest one reported, or the whole amount if none
was reported.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal, FloatOperation, Inexact, InvalidOperation, localcontext
from typing import NamedTuple

from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.position import Money, Position, Rank

_DIGITS = 200
"""More digits than any sum of amounts has; a larger result raises instead of being rounded."""


class PostingPlace(NamedTuple):
    """The account and currency an amount is posted to."""

    account: LedgerAccount
    currency: str


AmountsByPlace = Mapping[PostingPlace, Decimal]
"""Nonzero amounts by account and currency; they sum to zero per currency."""


class _Move(NamedTuple):
    """A transfer of money from one purpose to another."""

    amount: Decimal
    currency: str
    source: Purpose
    target: Purpose


@contextmanager
def exact() -> Iterator[None]:
    """Compute with Decimal without rounding; Python's default context keeps only 28 digits."""
    traps = [FloatOperation, Inexact, InvalidOperation]
    with localcontext(Context(prec=_DIGITS, traps=traps)):
        yield


def implied(position: Position) -> AmountsByPlace:
    """Return the total amounts in the books that a position's events imply."""
    if position.amount_to_book[0] is None:
        return {}
    sums: dict[PostingPlace, Decimal] = {}
    with exact():
        for move in _moves(position):
            source = _place(position, move.source, move.currency)
            target = _place(position, move.target, move.currency)
            sums[target] = sums.get(target, Decimal(0)) + move.amount
            sums[source] = sums.get(source, Decimal(0)) - move.amount
    return {place: amount for place, amount in sums.items() if amount}


def difference(before: AmountsByPlace, after: AmountsByPlace) -> AmountsByPlace:
    """Return the postings that change the books from `before` to `after`."""
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


def _place(position: Position, purpose: Purpose, currency: str) -> PostingPlace:
    if purpose is Purpose.WALLET and position.is_claim:
        purpose = Purpose.CLAIMED
    account = LedgerAccount(position.account, position.provider, purpose, position.network)
    return PostingPlace(account, currency)


def _moves(position: Position) -> Iterator[_Move]:
    held, currency = position.amount_to_book
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
        refund = (position.refunded_amount, position.refunded_currency)
        amount = _taken_back(refund, (held, currency))
        yield _Move(amount, currency, Purpose.WALLET, Purpose.REFUNDS)
    if position.disputed:
        dispute = (position.disputed_amount, position.disputed_currency)
        amount = _taken_back(dispute, (held, currency))
        yield _Move(amount, currency, Purpose.WALLET, Purpose.DISPUTES)


def _payout(position: Position, held: Decimal, currency: str) -> Iterator[_Move]:
    yield _Move(held, currency, Purpose.WALLET, Purpose.PAYOUTS)
    yield from _costs(position)
    if position.returned:
        returned = (position.returned_amount, position.returned_currency)
        amount = _taken_back(returned, (held, currency))
        yield _Move(amount, currency, Purpose.RETURNS, Purpose.WALLET)


def _costs(position: Position) -> Iterator[_Move]:
    if position.rank < Rank.PAID:
        return
    if position.fee is not None and position.fee_currency is not None:
        yield _Move(position.fee, position.fee_currency, Purpose.WALLET, Purpose.FEES)
    if position.gas is not None and position.gas_currency is not None:
        yield _Move(position.gas, position.gas_currency, Purpose.WALLET, Purpose.GAS)


def _surplus(position: Position, held: Decimal, currency: str) -> Decimal:
    """Return the amount that is not for the order: all of a partial payment, else the surplus."""
    if position.rank < Rank.PAID:
        return held
    if position.expected is None or position.expected_currency != currency:
        return Decimal(0)
    return max(held - position.expected, Decimal(0))


def _taken_back(reported: Money, whole: tuple[Decimal, str]) -> Decimal:
    """Return the reported amount, the whole if none was reported, 0 for another currency."""
    amount, currency = reported
    if amount is None:
        return whole[0]
    return amount if currency == whole[1] else Decimal(0)
