"""One payment or payout: its facts, folded from its events in any order.

Only `status` and `reference` depend on the order of arrival; they are for display, and nothing is
booked by them.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct, field

from consumers.ledger.facts.fact import (
    CALLING_OFF,
    RANKS,
    Kind,
    MoneyFact,
    Rank,
    Reported,
    facts_of,
    network_of_money,
)
from consumers.ledger.facts.fold import NO_FOLD, Fold, fold_of, join, join_networks
from consumers.ledger.facts.stated import size
from consumers.ledger.facts.tally import Tally, retally
from router.contract.event import Event
from router.contract.identity import uuid_of_names
from router.contract.lifecycle import advance

POSITION_NAMESPACE = UUID("0d5d4f8e-3f5a-5e0b-9c55-5f1f5a1f7d42")
"""Namespace of position ids. Never change it: stored positions have ids derived from it."""

MovementKey = tuple[Kind, str]
"""Kind and id of one transfer of a position."""


class Position(Struct, frozen=True):
    """The facts about one payment or payout.

    `totals` folds what is reported without the id of a transfer, `tally` sums up the transfers with
    an id. `movements` has the folds of those transfers that were loaded or changed. `paid_at` is
    the last moment at which the payment was reported as paid, `called_off` the last status that
    contradicts it. `expected` is the highest price by currency, from paid events only, so that a
    late underpaid or pending event changes nothing.
    """

    id: UUID
    account: str
    provider: str
    family: str
    provider_reference: str | None = None
    reference: str | None = None
    status: str | None = None
    rank: Rank = Rank.NOTHING
    networks: Mapping[str, datetime] = field(default_factory=dict)
    paid_at: datetime | None = None
    called_off: Reported | None = None
    expected: Mapping[str, Decimal] = field(default_factory=dict)
    totals: Mapping[Kind, Fold] = field(default_factory=dict)
    tally: Tally = field(default_factory=dict)
    movements: Mapping[MovementKey, Fold] = field(default_factory=dict)


def new_position(event: Event) -> Position:
    """Return the position an event belongs to, before any event is applied."""
    return Position(
        id=position_id(
            event.account,
            event.gateway,
            event.type.family,
            event.provider_reference or event.reference,
            kind="reference" if event.provider_reference is None else "provider_reference",
        ),
        account=event.account,
        provider=event.gateway,
        family=event.type.family,
        provider_reference=event.provider_reference,
        reference=event.reference,
    )


def position_id(
    account: str,
    provider: str,
    family: str,
    named: str | None,
    kind: Literal["provider_reference", "reference"] = "provider_reference",
) -> UUID:
    """Return the id of the payment or payout with this reference, of the kind given."""
    return uuid_of_names(POSITION_NAMESPACE, (account, provider, family, kind, named))


def movements_of(event: Event) -> set[MovementKey]:
    """Return the transfers whose folds `absorb` needs for an event."""
    if event.movement is None:
        return set()
    return {(each.kind, each.movement) for each in facts_of(event) if each.movement is not None}


def absorb(position: Position, event: Event) -> Position:
    """Return the position after `event`; equal to `position` if the event adds nothing.

    `position.movements` must have every fold of `movements_of(event)` that exists.
    """
    status = event.type.status
    totals, movements, tally = dict(position.totals), position.movements, position.tally
    for fact in facts_of(event):
        if fact.movement is None:
            totals[fact.kind] = _with(totals.get(fact.kind), fact, event)
        else:
            key = (fact.kind, fact.movement)
            before = movements.get(key)
            after = _with(before, fact, event)
            movements = {**movements, key: after}
            tally = retally(tally, fact.kind, before, after)
    return Position(
        id=position.id,
        account=position.account,
        provider=position.provider,
        family=position.family,
        provider_reference=position.provider_reference,
        status=advance(position.status, status) or position.status,
        reference=position.reference or event.reference,
        rank=max(position.rank, RANKS.get(status, Rank.NOTHING)),
        networks=join_networks(position.networks, _networks(event)),
        paid_at=_last_paid(position.paid_at, event),
        called_off=_last_called_off(position.called_off, event),
        expected=_expected(position.expected, event),
        totals=totals,
        tally=tally,
        movements=movements,
    )


def _with(before: Fold | None, fact: MoneyFact, event: Event) -> Fold:
    return join(before or NO_FOLD, fold_of(fact, event))


def _networks(event: Event) -> Mapping[str, datetime]:
    network = network_of_money(event)
    return {} if network is None else {network: event.moment}


def _last_paid(known: datetime | None, event: Event) -> datetime | None:
    if RANKS.get(event.type.status) is not Rank.PAID:
        return known
    return event.moment if known is None else max(known, event.moment)


def _last_called_off(known: Reported | None, event: Event) -> Reported | None:
    """Return the last status that contradicts a paid one; one that calls off wins a tie."""
    status = event.type.status
    if status not in CALLING_OFF and RANKS.get(status) is not Rank.PARTIAL:
        return known
    reported = Reported(event.moment, status)
    return reported if known is None else max(known, reported, key=_latest)


def _latest(reported: Reported) -> tuple[datetime, bool, str]:
    return reported.at, reported.text in CALLING_OFF, reported.text


def _expected(known: Mapping[str, Decimal], event: Event) -> Mapping[str, Decimal]:
    amount, currency = event.expected_amount, event.expected_currency
    if amount is None or currency is None or RANKS.get(event.type.status) is not Rank.PAID:
        return known
    return {**known, currency: max(known.get(currency, amount), amount, key=size)}
