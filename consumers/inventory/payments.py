"""The facts of a payment, and whether an order's payments are sufficient. Pure.

A payment has the latest status its lifecycle allows and the highest amount
reported, in the first currency that came with money. So a late or repeated
event adds nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact, InvalidOperation
from uuid import UUID

from consumers.inventory.identity import ADDRESS, REFERENCE, clue_id, payment_id
from consumers.inventory.policy import Policy
from router.contract.event import Event
from router.contract.lifecycle import advance, is_given_up, is_paid

_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
"""More digits than any product or sum here has; a larger result raises instead of being rounded."""


@dataclass(frozen=True)
class Payment:
    """The facts about one payment; the fields are the columns of its row.

    `refunded` is the highest refunded amount reported; None means all, or no
    refund. `status` is None if an order named the payment and no event of the
    gateway has arrived yet.
    """

    id: UUID
    account: str
    provider: str
    provider_reference: str | None = None
    reference: str | None = None
    address: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    refunded: Decimal | None = None
    order_id: UUID | None = None

    @property
    def paid(self) -> bool:
        """Whether the gateway reports the payment as paid, or refunded only a part of it."""
        return self.status is not None and (is_paid(self.status) or self._partly_refunded)

    @property
    def taken_back(self) -> bool:
        """Whether the money was refunded or disputed."""
        return self.status in {"refunded", "disputed"} and not self._partly_refunded

    @property
    def ended(self) -> bool:
        """Whether no more money is expected from it."""
        return self.status is not None and (is_given_up(self.status) or self.taken_back)

    @property
    def clues(self) -> tuple[UUID, ...]:
        """The clues by which it may be recognized besides its id, the most reliable first."""
        texts = ((REFERENCE, self.reference), (ADDRESS, self.address))
        return tuple(clue_id(self.account, kind, text) for kind, text in texts if text is not None)

    @property
    def _partly_refunded(self) -> bool:
        if self.status != "refunded" or self.refunded is None or self.amount is None:
            return False
        return self.refunded < self.amount


def new_payment(event: Event) -> Payment:
    """Return the payment an event is about, before any event is applied, without clues."""
    return Payment(
        id=payment_id(event.account, event.provider, event.provider_reference, event.reference),
        account=event.account,
        provider=event.provider,
        provider_reference=event.provider_reference,
    )


def absorb(payment: Payment, event: Event) -> Payment:
    """Return the payment after `event`; equal to `payment` if the event adds nothing."""
    status = event.type.status
    known = replace(
        payment,
        status=advance(payment.status, status) or payment.status,
        reference=payment.reference or event.reference,
        address=payment.address or event.to_address,
    )
    if event.amount is None or payment.currency not in {None, event.currency}:
        return known
    if status in _MONEY:
        return replace(known, amount=_highest(known.amount, event.amount), currency=event.currency)
    if status == "refunded":
        taken = _highest(known.refunded, event.amount)
        return replace(known, refunded=taken, currency=event.currency)
    return known


_MONEY = frozenset({"underpaid", "confirmed", "overpaid"})
"""Statuses whose amount is the total received so far."""


def settled(
    total: Decimal | None, currency: str | None, payments: Iterable[Payment], policy: Policy
) -> bool:
    """Return whether an order with this total is paid.

    Compares the sum of the amounts in the order's currency with the total. A
    payment that cannot be compared counts as sufficient if its gateway reports
    it as paid.
    """
    if total == 0:
        return True
    counted = [each for each in payments if not each.taken_back and _counts(each, policy)]
    received = Decimal(0)
    for payment in counted:
        comparable = total is not None and payment.amount is not None
        if comparable and payment.currency == currency:
            received = _EXACT.add(received, payment.amount or Decimal(0))
        elif payment.paid:
            return True
    if total is None:
        return False
    return received >= _EXACT.multiply(total, 1 - policy.may_be_missing)


def _counts(payment: Payment, policy: Policy) -> bool:
    return policy.overpaid == "commit" or payment.status != "overpaid"


def _highest(known: Decimal | None, new: Decimal) -> Decimal:
    return new if known is None else max(known, new)
