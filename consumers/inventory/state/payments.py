"""A payment as the store has it. Pure."""

from decimal import Decimal
from functools import cached_property
from typing import Final
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from consumers.inventory.identity import ADDRESS, REFERENCE, clue_id, payment_id
from consumers.inventory.policy import Policy
from consumers.inventory.rules.facts import PaymentFacts, add_event
from consumers.inventory.rules.standing import PaymentStanding, standing
from router.contract.event import Event

_FIRST_OF = ("overpaid", "confirmed", "underpaid", "failed", "expired", "cancelled", "pending")
"""Statuses of a payment that was not given back, the one to show first."""


class Payment(Struct, frozen=True, dict=True):
    """One payment: its facts, and how it may be recognized."""

    id: UUID
    account: str
    provider: str
    provider_reference: str | None = None
    reference: str | None = None
    address: str | None = None
    facts: PaymentFacts = field(default_factory=PaymentFacts)
    order_id: UUID | None = None

    @property
    def clues(self) -> tuple[UUID, ...]:
        """The clues by which it may be recognized besides its id, the most reliable first."""
        return clues_of(self.account, self.reference, self.address)

    def standing(self, policy: Policy) -> PaymentStanding:
        """Return what its facts result in under a policy."""
        return self._usual_standing if policy.values_as_usual else standing(self.facts, policy)

    @cached_property
    def _usual_standing(self) -> PaymentStanding:
        return standing(self.facts, _USUAL)

    @cached_property
    def shown(self) -> "ShownPayment":
        """What listings show of it."""
        if not self.facts.statuses:
            return _UNSEEN
        known = self._usual_standing
        amounts = known.amounts or known.claimed
        currency = min(amounts, default=None)
        return ShownPayment(
            _status(known),
            None if currency is None else amounts[currency],
            currency,
            known.has_money,
        )


class ShownPayment(Struct, frozen=True):
    """A payment's facts in short; the fields are columns of its row.

    `status` is None if an order named the payment and no event of the gateway has arrived yet.
    `amount` is in one currency, the first by name.
    """

    status: str | None
    amount: Decimal | None
    currency: str | None
    has_money: bool


_UNSEEN: Final = ShownPayment(None, None, None, has_money=False)

_USUAL: Final = Policy()


def clues_of(account: str, reference: str | None, address: str | None) -> tuple[UUID, ...]:
    """Return the clues by which a payment may be recognized, the most reliable first."""
    texts = ((REFERENCE, reference), (ADDRESS, address))
    return tuple(clue_id(account, kind, text) for kind, text in texts if text is not None)


def payment_of(event: Event) -> UUID:
    """Return the id of the payment an event is about."""
    return payment_id(event.account, event.gateway, event.provider_reference, event.reference)


def new_payment(event: Event) -> Payment:
    """Return the payment an event is about, before any event is applied, without clues."""
    return Payment(
        id=payment_of(event),
        account=event.account,
        provider=event.gateway,
        provider_reference=event.provider_reference,
    )


def absorb(payment: Payment, event: Event) -> Payment:
    """Return the payment after `event`; equal to `payment` if the event adds nothing."""
    return replace(
        payment,
        facts=add_event(payment.facts, event),
        reference=payment.reference or event.reference,
        address=payment.address or event.to_address,
    )


def _status(known: PaymentStanding) -> str | None:
    if known.returned or known.refunded:
        return "refunded"
    if known.disputed:
        return "disputed"
    if known.reversed and not known.has_money:
        return "reversed"
    return next((each for each in _FIRST_OF if each in known.statuses), None)
