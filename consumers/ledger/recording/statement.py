"""What an operator wants to record, and the event that it becomes. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import uuid4

from consumers.ledger.facts.differing import GatewayAmounts, of_transfer
from consumers.ledger.facts.fact import Kind, Side, side_of
from consumers.ledger.facts.fold import NO_FOLD, Fold
from consumers.ledger.facts.position import Position
from consumers.ledger.facts.tally import sums_by_side
from router.contract.event import Event, EventType, Verification, event_id
from router.contract.identity import OPERATOR
from router.contract.operator import Recorded

_NO_REASON = "none yet"
"""Reason in the event of a statement that is only shown."""


@dataclass(frozen=True)
class Statement:
    """An amount that an operator records, and why.

    Without `movement` it is the total of the payment or payout, of its refunds and so on. `at` is
    when the money moved; None: now. `reason` is None only as long as nothing is recorded.
    """

    type: EventType
    amount: Decimal
    currency: str
    reason: str | None
    by: str
    movement: str | None = None
    network: str | None = None
    at: datetime | None = None

    @property
    def transfer(self) -> "StatedTransfer":
        """The transfer or total that it is about; raises ValueError for a type without one."""
        found = side_of(self.type.status)
        if found is None:
            message = f"{self.type} reports no transfer of money"
            raise ValueError(message)
        return StatedTransfer(*found, self.movement)


class StatedTransfer(NamedTuple):
    """One side of a transfer, or of a total without `movement`."""

    kind: Kind
    side: Side
    movement: str | None

    def fold(self, position: Position) -> Fold:
        """Return the fold of the transfer or total, an empty one if nothing was reported."""
        if self.movement is None:
            return position.totals.get(self.kind, NO_FOLD)
        return position.movements.get((self.kind, self.movement), NO_FOLD)

    def gateway_amounts(self, position: Position) -> GatewayAmounts:
        """Return what the gateway reported about it."""
        sums = {} if self.movement is not None else sums_by_side(position.tally, self.kind)
        return of_transfer(self.kind, self.fold(position), self.side, sums)


@dataclass(frozen=True)
class StatementSubject:
    """The payment or payout that a statement is about; `test` is true for money that is not real.

    `is_new` is true if no event was about it yet. `position.movements` has the transfer that the
    statement is about.
    """

    position: Position
    test: bool = False
    is_new: bool = False


def event_about(
    subject: StatementSubject, statement: Statement, now: datetime, version: str
) -> Event:
    """Return the event of a statement; raises pydantic's ValidationError for unsuitable text.

    It carries the gateway's amounts that the operator was shown, which it replaces.
    """
    position = subject.position
    shown = dict(statement.transfer.gateway_amounts(position).by_currency)
    replaces = shown.pop(statement.currency, None)
    return Event(
        id=event_id(OPERATOR, position.account, str(uuid4())),
        type=statement.type,
        provider=OPERATOR,
        endpoint=OPERATOR,
        account=position.account,
        reference=position.reference,
        provider_reference=position.provider_reference,
        amount=statement.amount if statement.movement is None else None,
        currency=statement.currency,
        movement=statement.movement,
        movement_amount=None if statement.movement is None else statement.amount,
        network=statement.network,
        occurred_at=statement.at,
        received_at=now,
        test=subject.test or None,
        verification=Verification(scheme=OPERATOR, key=statement.by),
        recorded=Recorded(
            by=statement.by,
            reason=statement.reason or _NO_REASON,
            provider=position.provider,
            version=version,
            replaces=replaces,
            other_currencies={each: amount for each, amount in shown.items() if amount},
        ),
    )


def known_currencies(position: Position) -> set[str]:
    """Return the currencies of all amounts that are known of a payment or payout."""
    slots = [slot for fold in position.totals.values() for slot in fold.slots.values()]
    totals = {currency for slot in slots for currency in slot.amounts}
    stated = {slot.stated.currency for slot in slots if slot.stated is not None}
    movements = {key.currency for key in position.tally if key.currency}
    return {*totals, *stated, *movements, *position.expected}
