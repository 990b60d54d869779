"""Subjects of messages: payments, payouts, subscriptions and orders, and what changes them. Pure.

A subject keeps folded facts, not a latest status. So a report that adds nothing causes no message,
and the facts are the same in every order of arrival.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from consumers.notifications.changes.known import (
    KnownFacts,
    known_of,
    known_text,
    movement_of,
    movement_text,
    with_status,
)
from consumers.notifications.changes.money import ReportedMovement
from consumers.notifications.changes.news import begins, news
from consumers.notifications.changes.paid import OrderPrice, proves_paid
from consumers.notifications.changes.reports import TAKEN_BACK, after_event, money_kind, total_of
from consumers.notifications.outcomes import COMMITTED, RETURNED, OrderOutcome
from consumers.notifications.rules import CALLED_OFF, ORDER_PAID
from consumers.runtime.fate import Fate
from router.contract.event import Event
from router.contract.identity import uuid_of_names

SUBJECT_NAMESPACE = UUID("b6b2b5c4-9f7e-5c7c-8d5d-6f1d2f4d3a11")
"""Namespace of subject ids. Never change it: stored subjects have ids derived from it."""

ORDER_FAMILY = "order"

NO_FACTS = "{}"

_IDS = 2048
"""Ids that are remembered: a batch needs each more than once."""


class Subject(Struct, frozen=True):
    """A payment, payout, subscription or order; the fields are the columns of its row.

    `facts` are its folded facts, as in `consumers.notifications.changes.known`. An order has no
    provider.
    """

    id: UUID
    account: str
    provider: str | None
    family: str
    provider_reference: str | None = None
    reference: str | None = None
    facts: str = NO_FACTS


class SubjectMovement(Struct, frozen=True):
    """One transfer of a subject's money, by the gateway's id; the fields are columns of its row."""

    id: UUID
    subject_id: UUID
    kind: str
    movement: str
    facts: str = NO_FACTS


class SubjectChange(Struct, frozen=True):
    """An event or outcome, and the kinds of messages it causes, the most important first.

    `total` is the total known of what an event reports, in its currency.
    """

    cause: Event | OrderOutcome
    kinds: Sequence[str] = ()
    total: Decimal | None = None

    @property
    def outcome(self) -> Fate:
        """APPLIED if it changes a fact. An event that contradicts a paid payment is STALE."""
        changed = any(kind != CALLED_OFF for kind in self.kinds)
        return Fate.APPLIED if changed else Fate.STALE


def subject_id(cause: Event | OrderOutcome) -> UUID:
    """Return the id of the subject of an event or outcome."""
    if isinstance(cause, OrderOutcome):
        return _id(cause.account, ORDER_FAMILY, cause.reference)
    named = cause.provider_reference or cause.reference
    kind = "reference" if cause.provider_reference is None else "provider_reference"
    return _id(cause.account, cause.gateway, cause.type.family, kind, named)


def new_subject(cause: Event | OrderOutcome) -> Subject:
    """Return the subject of an event or outcome, before anything is applied."""
    number = subject_id(cause)
    if isinstance(cause, OrderOutcome):
        return Subject(number, cause.account, None, ORDER_FAMILY, reference=cause.reference)
    return Subject(
        id=number,
        account=cause.account,
        provider=cause.gateway,
        family=cause.type.family,
        provider_reference=cause.provider_reference,
        reference=cause.reference,
    )


def new_movement(event: Event) -> SubjectMovement | None:
    """Return the movement that an event names, before anything is applied."""
    kind = money_kind(event)
    if kind is None or event.movement is None:
        return None
    subject = subject_id(event)
    number = _id(str(subject), kind.name, event.movement)
    return SubjectMovement(number, subject, kind.name, event.movement)


class SubjectBatch(Struct, frozen=True):
    """The subjects and movements of a batch by their ids, and the prices of orders.

    `prices`, by account and reference, are None if events prove nothing about orders.
    """

    subjects: Mapping[UUID, Subject]
    movements: Mapping[UUID, SubjectMovement]
    prices: Mapping[tuple[str, str], OrderPrice] | None = None


def plan_changes(
    batch: SubjectBatch, causes: Iterable[Event | OrderOutcome]
) -> tuple[Sequence[SubjectChange], SubjectBatch]:
    """Apply events and outcomes in their order; return the change of each, and the batch after."""
    subjects, movements = dict(batch.subjects), dict(batch.movements)
    changes = []
    for cause in causes:
        subject = subjects[subject_id(cause)]
        if isinstance(cause, OrderOutcome):
            change, subjects[subject.id] = apply_outcome(subject, cause)
        else:
            blank = new_movement(cause)
            movement = None if blank is None else movements.get(blank.id, blank)
            price = _price(batch, cause)
            change, subjects[subject.id], movement = apply_event(subject, movement, cause, price)
            if movement is not None:
                movements[movement.id] = movement
        changes.append(change)
    return changes, replace(batch, subjects=subjects, movements=movements)


def apply_event(
    subject: Subject,
    movement: SubjectMovement | None,
    event: Event,
    price: OrderPrice | None = None,
) -> tuple[SubjectChange, Subject, SubjectMovement | None]:
    """Return the change an event makes, and its subject and movement afterwards.

    `price` is the order's; None if events prove nothing about orders.
    """
    before = known_of(subject.facts)
    part = ReportedMovement() if movement is None else movement_of(movement.facts)
    after, part = after_event(before, part, event)
    after = replace(after, proven=before.proven or _proven(after, event, price))
    change = SubjectChange(event, news(before, after, event), total_of(after, event))
    reference = subject.reference or event.reference
    moved = None if movement is None else replace(movement, facts=movement_text(part))
    return change, replace(subject, reference=reference, facts=known_text(after)), moved


def apply_outcome(subject: Subject, outcome: OrderOutcome) -> tuple[SubjectChange, Subject]:
    """Return the change an outcome makes, and its order afterwards."""
    before = known_of(subject.facts)
    paid = outcome.status == COMMITTED and begins(before.latest, COMMITTED, RETURNED, outcome.at)
    after = with_status(before, outcome.status, outcome.at)
    change = SubjectChange(outcome, (ORDER_PAID,) if paid else ())
    return change, replace(subject, facts=known_text(after))


@lru_cache(maxsize=_IDS)
def _id(*identity: str | None) -> UUID:
    return uuid_of_names(SUBJECT_NAMESPACE, identity)


def _price(batch: SubjectBatch, event: Event) -> OrderPrice | None:
    if batch.prices is None:
        return None
    return batch.prices.get((event.account, event.reference or ""), OrderPrice())


def _proven(known: KnownFacts, event: Event, price: OrderPrice | None) -> bool:
    if price is None or known.latest.keys() & TAKEN_BACK:
        return False
    return proves_paid(event, price)
